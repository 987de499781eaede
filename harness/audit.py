"""The audit list: everything that a run asked of anybody, and everything that it refused to ask.

One JSON document a line, appended as it happens, also by the process that asks AWS.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

NAME = "audit.jsonl"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that left the process, or did not. ``rule`` says what admitted or refused it."""

    at: float
    vantage: str
    kind: str
    what: str
    performed: bool
    rule: str


class Audit:
    """Appends entries to a file; usable in several threads, and across a fork."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    def __call__(self, kind: str, what: str, rule: str, *, vantage: str, performed: bool) -> None:
        """Write an entry. ``what`` holds no secret: it names, it does not quote."""
        entry = Entry(
            at=round(time.time(), 3),
            vantage=vantage,
            kind=kind,
            what=what,
            performed=performed,
            rule=rule,
        )
        # In one write: what several processes append does not mix.
        os.write(self._file, msgspec.json.encode(entry) + b"\n")

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def read(path: Path) -> Iterator[Entry]:
    """Yield the entries of a run; a line that was torn by a crash is left out."""
    if not path.is_file():
        return
    for line in path.read_bytes().splitlines():
        try:
            yield msgspec.json.decode(line, type=Entry)
        except msgspec.MsgspecError:
            continue


def counted(path: Path) -> list[tuple[str, str, int, int]]:
    """Return, for each vantage point and kind, how much was performed and how much refused."""
    entries = list(read(path))
    done = Counter((e.vantage, e.kind) for e in entries if e.performed)
    refused = Counter((e.vantage, e.kind) for e in entries if not e.performed)
    return [(*key, done[key], refused[key]) for key in sorted(done | refused)]
