# SPDX-License-Identifier: BSD-3-Clause
"""That several workers are measured beside testpmd and judged; never how well they scale."""
import json
import os
import shutil
import subprocess
import sys

relaybench = sys.argv[1]
if shutil.which("dpdk-testpmd") is None or os.cpu_count() < 2:
    sys.exit(77)
# --small-pages, so that no test changes the machine's huge pages.
done = subprocess.run(
    [relaybench, "core", "--workers", "2", "--channels", "100", "--direction", "hairpin",
     "--rounds", "1", "--seconds", "0.05", "--small-pages", "--no-boost", "-j"],
    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
if done.returncode != 0:
    sys.exit(done.stderr)
report = json.loads(done.stdout)
assert report["command"][:3] == ["relaybench", "core", "--workers"] and report["machine"], report
[cell] = report["cells"]
assert cell["direction"] == "hairpin" and cell["workers"] == 2 and cell["channels"] == 100, cell
[measured] = cell["rounds"]
assert all(pps > 1000 for pps in measured["ours_pps"] + measured["testpmd_pps"]), cell
gains = [measured[who][1] / measured[who][0] for who in ("ours_pps", "testpmd_pps")]
assert abs(cell["gain"] / gains[0] - 1) < 0.001 and abs(cell["gain_testpmd"] / gains[1] - 1) < 0.001
assert abs(cell["ratio"] - gains[0] / gains[1]) < 0.001 * cell["ratio"], cell
refused = subprocess.run([relaybench, "core", "--workers", "9"], stderr=subprocess.PIPE, text=True)
assert refused.returncode == 2 and "--workers" in refused.stderr, refused
