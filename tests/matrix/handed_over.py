"""The commands that a hand-off prints, taken from its Markdown as a person would copy them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.home import ROOT

WITHIN = 60.0
_BLOCK = re.compile(r"^```sh\n(.*?)\n```\n(?:\nSeen by the suite: (`+) ?(.*?) ?\2\n)?", re.M | re.S)

_FAILURE = re.compile(r"^### \d+\. (.*?)$(.*?)(?=^###? |\Z)", re.M | re.S)
_CAUSE = re.compile(r"^### Cause \d+: (.*?)$(.*?)(?=^###? |\Z)", re.M | re.S)


@dataclass(frozen=True)
class Step:
    """One block to paste, and what the document says that the suite saw."""

    failure: str
    line: str
    seen: str


@dataclass(frozen=True)
class Mending:
    """The commands under one root cause."""

    what: str
    lines: tuple[str, ...]
    prove: str


@dataclass(frozen=True)
class Pasted:
    """What came of a pasted command."""

    code: int
    output: str


def steps(markdown: str) -> list[Step]:
    """Return every command under "Reproduce it"."""
    found = []
    for title, text in _FAILURE.findall(markdown):
        part = text.partition("Reproduce it:\n")[2].partition("Recommended fixes")[0]
        found += [Step(title, line, seen or "") for line, _, seen in _BLOCK.findall(part)]
    return found


def mendings(markdown: str) -> list[Mending]:
    """Return the commands of every root cause, in the document's order."""
    found = []
    for what, text in re.findall(
        r"^### Cause \d+: (.*?)$(.*?)(?=^###? |\Z)", markdown, re.M | re.S
    ):
        mend, _, prove = text.partition("Prove it:")
        blocks = [block for block, _, _ in _BLOCK.findall(mend)]
        lines = tuple(line for block in blocks for line in block.splitlines())
        found.append(Mending(what, lines, _BLOCK.findall(prove)[0][0]))
    return found


def paste(line: str, lab: Mapping[str, str], folder: Path = ROOT) -> Pasted:
    """Run a line in a shell that has the lab's variables."""
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=folder,
        env={**os.environ, **lab, "AWS_PAGER": ""},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    )
    return Pasted(done.returncode, done.stdout + done.stderr)


def shows(pasted: Pasted, seen: str) -> bool:
    """Whether the command showed what the suite saw."""
    if answer := re.match(r"HTTP (\d+) ?(.*)", seen):
        status, start = answer[1], answer[2].rstrip("…")[:40].strip()
        told = " ".join(pasted.output.split())
        return re.search(rf"HTTP/\S+ {status}\b", told) is not None and start in told
    if seen.startswith("dns-"):
        unknown = ("Could not resolve host", "not known", "Name or service")
        return pasted.code != 0 and (not pasted.output or any(w in pasted.output for w in unknown))
    if seen.startswith("tls-verify"):
        return pasted.code in (35, 60)
    if refused := re.search(r"password authentication failed for user \S+", seen):
        return pasted.code != 0 and refused[0] in pasted.output
    if seen.startswith("failed: "):
        return all(name in pasted.output for name in seen.removeprefix("failed: ").split(", "))
    return pasted.code not in (126, 127)
