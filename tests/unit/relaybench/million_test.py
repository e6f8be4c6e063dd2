#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A million allocations with a permission and a channel each are set up through the rings, taken over
by another control process and ended at once: each takes less than 1 KiB of segment, and no turn of
the control loop takes long meanwhile."""
import json
import subprocess
import sys

N = int(sys.argv[2])
STEP_CPU_US = 50000  # of one turn: far above its real time, and far below a delay that clients notice

r = subprocess.run([sys.argv[1], "setup", "--allocations", str(N), "--small-pages", "--no-boost",
                    "--end", "--json"], stdout=subprocess.PIPE, text=True, timeout=600, check=False)
if r.returncode != 0:
    sys.exit(f"million_test: exit {r.returncode}")
j = json.loads(r.stdout)
print(json.dumps({k: j[k] for k in ("setups_per_cpu_second", "memory", "end")}, indent=1))
if j["allocations"] != N or j["memory"]["segment_bytes_per_allocation"] >= 1024:
    sys.exit("million_test: an allocation takes 1 KiB of segment or more")
if j["end"]["longest_step_cpu_us"] >= STEP_CPU_US:
    sys.exit("million_test: a turn of the control loop took too long")
