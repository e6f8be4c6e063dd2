#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Runs NAME_test.py beside it; exit status 77 (skipped) where aiohttp is not installed."""
import importlib.util
import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[2] / "tools" / "voicecall")]

if importlib.util.find_spec("aiohttp") is None:
    print("skipped: python3-aiohttp is not installed")
    sys.exit(77)
unittest.main(module=f"{sys.argv[1]}_test", argv=sys.argv[:1] + sys.argv[2:])
