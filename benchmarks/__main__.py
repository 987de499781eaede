"""`python -m benchmarks [SECTION …]`: measures, and writes docs/benchmarks/."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks import report, sections
from benchmarks.command import Failed

Section = Callable[..., Any]
SECTIONS: dict[str, Section] = {
    "job": sections.the_job,
    "suite": sections.the_suite,
    "scale": sections.the_scale,
    "lab": sections.the_lab,
}


def main() -> int:
    """Measure what is asked for, and keep what is known of the rest; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("section", nargs="*", choices=[*SECTIONS, []], help="default: all")
    parser.add_argument("--quick", action="store_true", help="one round of each, and little scale")
    parser.add_argument(
        "--folder", type=Path, default=report.FOLDER, help="default: docs/benchmarks"
    )
    given = parser.parse_args()
    began, found = time.monotonic(), _before(given.folder)

    def progress(text: str) -> None:
        print(f"bench: {time.monotonic() - began:5.0f} s  {text}", file=sys.stderr, flush=True)

    for name in given.section or SECTIONS:
        try:
            found[name] = SECTIONS[name](progress, quick=given.quick)
        except Failed as error:
            print(f"bench: {name} cannot be measured: {error}", file=sys.stderr)
            return 1
        found |= {"date": time.strftime("%Y-%m-%d"), "machine": report.machine()}
        written = report.write(given.folder, found)
    print("\n".join(f"bench: {path}" for path in written))
    return 0


def _before(folder: Path) -> dict[str, Any]:
    try:
        before: dict[str, Any] = msgspec.json.decode((folder / report.JSON).read_bytes())
    except (OSError, msgspec.DecodeError):
        return {}
    return before


if __name__ == "__main__":
    sys.exit(main())
