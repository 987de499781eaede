"""The verdict table for terminals: worst first, readable at 80 columns, with or without colour."""

from __future__ import annotations

import importlib
import textwrap
from collections.abc import Sequence

from harness.verdicts import Judgement, Verdict

# What terminals understand: SGR parameters.
COLOURS = {
    Verdict.REPRODUCED: "1;31",
    Verdict.CHANGED: "1;35",
    Verdict.BLOCKED: "33",
    Verdict.FIXED: "32",
}
BOLD = "1"
HEADERS = ("verdict", "", "documented failure, and what was seen", "checks")
# Between the columns, and of the columns beside the one that is as wide as there is room.
BESIDE = 3 * 2 + len("reproduced") + len("p0") + len("99 not run")


def get_ready() -> None:
    """Load what takes long; otherwise the first table does."""
    importlib.import_module("tabulate")


def verdicts(judgements: Sequence[Judgement], width: int, colour: bool) -> str:
    """Return the table of verdicts as text."""
    from tabulate import tabulate

    def styled(text: str, style: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if colour else text

    rows = [
        (
            styled(judgement.verdict, COLOURS[judgement.verdict]),
            judgement.severity,
            f"{styled(judgement.failure, BOLD)}\n{_seen(judgement, width - BESIDE)}",
            _counts(judgement),
        )
        for judgement in judgements
    ]
    return f"\n{tabulate(rows, HEADERS, tablefmt='simple', disable_numparse=True)}\n\n"


def _counts(judgement: Judgement) -> str:
    parts = [
        f"{judgement.failed} failed" if judgement.failed else "",
        f"{judgement.blocked} blocked" if judgement.blocked else "",
        f"{judgement.passed} passed" if judgement.passed else "",
        f"{judgement.not_run} not run" if judgement.not_run else "",
    ]
    return "\n".join(part for part in parts if part)


def _seen(judgement: Judgement, width: int) -> str:
    seen = [sighting.documented for sighting in judgement.sightings] or [judgement.because]
    return "\n".join(textwrap.fill(each, width) for each in seen)
