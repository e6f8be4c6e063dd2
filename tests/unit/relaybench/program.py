# SPDX-License-Identifier: BSD-3-Clause
"""relaybench as a program, for its tests."""
import os
import subprocess
import sys


def check(what, good):
    if not good:
        sys.exit(f"{os.path.basename(sys.argv[0])}: {what}")


def run(relaybench, command, *options):
    """Runs it and looks for files and processes that it leaves behind. Other runs may be under
    way: this one's names begin with its number."""
    with subprocess.Popen([relaybench, command, *options], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as p:
        out, err = p.communicate(timeout=600)
    left = [n for n in os.listdir("/dev/shm") if n.startswith(f"relaybench-{p.pid}-")]
    check(f"left behind: {left}", not left)
    return subprocess.CompletedProcess(p.args, p.returncode, out, err)
