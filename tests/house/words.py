# SPDX-License-Identifier: BSD-3-Clause
"""The language of comments and documents, counted."""
import io
import math
import re
import tokenize

SHY = re.compile(r"\b(what|who|whoever|whatever)\b", re.IGNORECASE)
START = re.compile(r"(?:^|[.:] )((?:What|Who|Whoever|Whatever|Of|For)\b[^.]{0,60})")
WORD = re.compile(r"[A-Za-z][A-Za-z'-]*")
LIMIT = 2  # per 1,000 words

C_TOKEN = re.compile(
    r'//(?P<line>[^\n]*(?:\n[ \t]*//[^\n]*)*)|/\*(?P<block>.*?)\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'',
    re.DOTALL)


def c_comments(text):
    for match in C_TOKEN.finditer(text):
        comment = match.group("line") or match.group("block")
        if comment:
            yield re.sub(r"\n\s*(?://|\*)", "\n", comment)


def shell_comments(text):
    for block in re.findall(r"^[ \t]*#(?!!).*(?:\n[ \t]*#.*)*", text, re.MULTILINE):
        yield re.sub(r"(?m)^[ \t]*#", "", block)


def python_comments(text):
    previous = tokenize.NEWLINE
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string.lstrip("# ")
        elif token.type == tokenize.STRING and previous in (
                tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            yield token.string.strip("rb\"'")
        if token.type not in (tokenize.COMMENT, tokenize.NL):
            previous = token.type


def reader(path, text):
    first = text.split("\n", 1)[0]
    if path.endswith((".c", ".h", ".js", ".css")):
        return c_comments
    if path.endswith(".py") or first.startswith("#!") and "python" in first:
        return python_comments
    if path.endswith((".sh", ".build")) or first.startswith("#!"):
        return shell_comments
    if path.endswith(".md"):
        return lambda page: [page]
    return None


def folder(path):
    parts = path.split("/")
    if path.endswith(".md"):
        return "documents"
    if len(parts) < 3:
        return parts[0] if len(parts) == 2 else "root"
    depth = 3 if parts[0] == "tests" and parts[1] == "unit" else 2
    return "/".join(parts[:depth])


def running(comment):
    """A comment as one running text, so that sentences that wrap stay whole."""
    return re.sub(r"\s+", " ", re.sub(r"SPDX\S*\s+\S+", "", comment)).strip()


def count(files):
    """{folder: [words, shy words]}, and [(path, comment that begins badly)]."""
    counts, starts = {}, []
    for path in files:
        if "/corpus/" in path or path.endswith((".png", ".svg")):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        read = reader(path, text)
        if not read:
            continue
        sums = counts.setdefault(folder(path), [0, 0])
        for comment in map(running, read(text)):
            sums[0] += len(WORD.findall(comment))
            sums[1] += len(SHY.findall(comment))
            starts += [(path, match.group(1)) for match in START.finditer(comment)]
    return counts, starts


def over(words, shy):
    return shy > math.ceil(words * LIMIT / 1000)
