#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks the rules of docs/contributing.md that a program can check.

    tests/house/house.py            every check; ends with "N passed, N failed"
    tests/house/house.py --words    the words and beginnings of sentences, by folder and file
"""
import os
import re
import shutil
import subprocess
import sys

import walls
import words

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

# Paths of a developer's machine, and package registries: a build must need neither.
FOREIGN = re.compile(
    r"(?<![\w.])/(?:work|root|home/\w+)/|/tmp/bash_|\bpypi\.org|registry\.npmjs|proxy\.golang\.org"
    r"|crates\.io|rubygems\.org|deb\.debian\.org|security\.debian\.org")

# Files that carry no licence line of their own.
BARE = re.compile(
    r"\.(png|svg|md|golden|html|json)$|/corpus/|^(LICENSE|\.gitignore|\.editorconfig)$")


def source_files():
    """The files of the tree: those git would take, or without git all but builds."""
    git = None
    if shutil.which("git") is not None:
        git = subprocess.run(["git", "ls-files", "-z", "-co", "--exclude-standard"], check=False,
                             capture_output=True, text=True)
    if git is not None and git.returncode == 0:
        names = git.stdout.split("\0")
    else:
        names = [os.path.relpath(os.path.join(folder, name))
                 for folder, _, files in os.walk(".") for name in files]
    return sorted(n for n in names if n and os.path.isfile(n)
                  and not re.match(r"build|\.git(/|$)|.*__pycache__|node_modules", n))


def read(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def check_licence(files):
    return [f"{path}: no SPDX-License-Identifier in the first three lines" for path in files
            if not BARE.search(path)
            and "SPDX-License-Identifier:" not in "\n".join(read(path).split("\n")[:3])]


def check_foreign(files):
    bad = []
    for path in files:
        if path.endswith(".png") or "/corpus/" in path or path == "tests/house/house.py":
            continue
        for number, line in enumerate(read(path).split("\n"), 1):
            match = FOREIGN.search(line)
            if match:
                bad.append(f"{path}:{number}: {match.group(0)}")
    return bad


def check_links(files):
    """Links of the documents lead to files that exist."""
    bad = []
    for path in files:
        if not path.endswith(".md"):
            continue
        for link in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", read(path)):
            target = os.path.normpath(os.path.join(os.path.dirname(path), link))
            if "://" not in link and not os.path.exists(target):
                bad.append(f"{path}: no file {link}")
    return bad


CHECKS = [
    ("each folder includes only what its row allows", walls.check_arrows),
    ("no process includes the other, no library a process", walls.check_processes),
    ("DPDK stays in its folders", walls.check_dpdk),
    ("cores without input and output include no such header", walls.check_pure),
    ("the tree has its folders", walls.check_tree),
    ("each file names its licence", check_licence),
    ("no path of a machine, no registry", check_foreign),
    ("links of documents lead somewhere", check_links),
]


def print_words(files):
    _, starts = words.count(files)
    for path, start in starts:
        print(f"{path}: {start}")
    for path in files:
        for total, shy in words.count([path])[0].values():
            if shy:
                print(f"{shy:4} of {total:6} words  {path}")


def main():
    os.chdir(TOP)
    files = source_files()
    if sys.argv[1:] == ["--words"]:
        return print_words(files)
    passed = failed = 0
    for name, check in CHECKS:
        bad = check(files)
        for line in bad:
            print(f"    {line}")
        print(f"{'FAIL' if bad else 'ok'}  {name}")
        passed, failed = passed + (not bad), failed + bool(bad)
    counts, starts = words.count(files)
    for folder, (total, shy) in sorted(counts.items()):
        if not total:
            continue
        bad = words.over(total, shy)
        print(f"{'FAIL' if bad else 'ok'}  {folder}: {shy * 1000 / total:.1f} per 1,000 of "
              f"{total} words are what, who, whoever or whatever; at most {words.LIMIT}")
        passed, failed = passed + (not bad), failed + bool(bad)
    print(f"{len(starts)} sentences begin with What, Who, Whoever, Whatever, Of or For")
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
