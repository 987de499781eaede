"""Prints the Python that .venv is to be made with: the first python3 of PATH that is new enough, or
a later one that is much quicker.

How an interpreter was built decides a sixth of every run, and nothing that it tells of itself says
so reliably: each is timed.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

OLDEST = (3, 11)
# Built with and without profile-guided optimisation, one Python is 1.4 to 1.8 times as quick as the
# other; two releases differ less than this.
MUCH = 1.2
ROUNDS = 9
TIMEOUT_S = 10
ABLE = f"""\
import sys
if sys.version_info < {OLDEST}: sys.exit(1)
import ensurepip, venv
print(sys.executable, sys.base_prefix, "%d.%d.%d" % sys.version_info[:3], sep="|")
"""
# What a test run is made of: calls, attributes, strings, dictionaries. Prints the microseconds of
# the best loop: what disturbs one only makes it slower.
LOOP = """\
import time
class Item:
    def __init__(self, number): self.name = "item-%d" % number
def loop():
    begun, seen = time.perf_counter(), dict()
    for number in range(8000):
        item = Item(number)
        seen[item.name] = item.name.partition("-")[2]
    return time.perf_counter() - begun
print(int(1e6 * min(loop() for _ in range(5))))
"""


class Python(NamedTuple):
    """A Python of PATH that the suite can use."""

    path: str
    prefix: str
    version: str


def _told(path: str, program: str) -> str:
    """Return what ``program`` prints there. Raises SubprocessError and OSError."""
    command = [path, "-I", "-S", "-c", program]
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=TIMEOUT_S,
        check=True,
        text=True,
    ).stdout.strip()


def found() -> list[Python]:
    """Return every Python of PATH that the suite can use, in PATH's order, each once."""
    known: dict[str, Python] = {}
    for folder in dict.fromkeys(filter(None, os.environ.get("PATH", "").split(os.pathsep))):
        with contextlib.suppress(OSError, TypeError, subprocess.SubprocessError):
            seen = Python(*_told(str(Path(folder) / "python3"), ABLE).split("|"))
            known.setdefault(seen.prefix, seen)
    return list(known.values())


def times_as_quick(pythons: list[Python]) -> list[float]:
    """Return how many times as quick as the first each is: the median of paired rounds.

    In turn, so that a slow moment of the machine meets all of them. Raises SubprocessError.
    """
    rounds = [[int(_told(each.path, LOOP)) for each in pythons] for _ in range(ROUNDS)]
    ratios = [[took[0] / each for each in took] for took in rounds]
    return [statistics.median(column) for column in zip(*ratios, strict=True)]


def main() -> int:
    """Print the choice; returns the exit code (0, or 1 if there is none)."""
    if not (pythons := found()):
        return 1
    first, chosen = pythons[0], pythons[0]
    with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
        ratio, place = max((r, -n) for n, r in enumerate(times_as_quick(pythons)))
        chosen = pythons[-place] if ratio >= MUCH else first
    if chosen is not first:
        print(
            f"setup: {chosen.path} ({chosen.version}) is {ratio:.1f} times as quick as "
            f"{first.path} ({first.version}): taken; PYTHON={first.path} chooses the other",
            file=sys.stderr,
        )
    print(chosen.path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
