"""``python -m harness``: what is done with runs that are over."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from harness import exit_codes
from harness.errors import UsageError
from harness.reports import compare, history


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code (0 done, 4 usage)."""
    parser = argparse.ArgumentParser(prog="python -m harness", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    made = commands.add_parser("compare", help="what changed between two runs")
    made.add_argument("before", type=Path, help="an earlier run's folder")
    made.add_argument("after", type=Path, help="a later run's folder")
    made.set_defaults(run=_compare)
    given = parser.parse_args(arguments)
    try:
        done: int = given.run(given)
    except UsageError as error:
        print(f"harness: {error}", file=sys.stderr)
        return exit_codes.USAGE
    return done


def _compare(given: argparse.Namespace) -> int:
    found = compare.compare(history.load(given.before), history.load(given.after))
    for each in (*found.failures, *found.causes):
        print(f"{each.change:<20} {each.id:<45} {each.before or '-'} -> {each.after or '-'}")
    print(*compare.lines(found), sep="\n")
    return exit_codes.PASSED


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
