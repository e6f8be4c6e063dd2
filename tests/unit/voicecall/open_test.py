# SPDX-License-Identifier: BSD-3-Clause
import pathlib
import tempfile
import types
import unittest
from unittest import mock

from call import open as opener


class StartTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.lab = types.SimpleNamespace(
            name="test", log_file=pathlib.Path(folder.name) / "log",
            links_file=pathlib.Path(folder.name) / "links")

    def start(self, answers, status):
        """Starts a server that answers, look by look, as told; `status` None: it runs on."""
        server = mock.Mock(**{"poll.return_value": status}, returncode=status)
        with mock.patch.object(opener, "_server_answers", side_effect=answers), \
                mock.patch.object(opener.subprocess, "Popen", return_value=server), \
                mock.patch.object(opener.time, "sleep"):
            opener._start_server(self.lab)

    def test_waits_until_it_answers(self):
        self.lab.links_file.write_text("{}")
        self.start([False] * 500 + [True], None)

    def test_an_end_without_a_word_has_a_reason(self):
        with self.assertRaisesRegex(ValueError, r"ended with status 3 \(log: .*log\)"):
            self.start([False] * 3, 3)

    def test_an_end_has_its_last_words(self):
        self.lab.log_file.write_text("first\nno such file\n\n")
        with self.assertRaisesRegex(ValueError, "ended with status 1: no such file"):
            self.start([False] * 3, 1)

    def test_no_answer_has_a_reason(self):
        with mock.patch.object(opener.time, "monotonic", side_effect=[0, 1, 1000]), \
                self.assertRaisesRegex(ValueError, "does not answer after 60 s"):
            self.start([False] * 3, None)


if __name__ == "__main__":
    unittest.main()
