"""The verdict table for terminals: worst first, readable at 80 columns, with or without colour."""

from __future__ import annotations

import io
from collections.abc import Sequence

from harness.verdicts import Judgement, Verdict

COLOURS = {
    Verdict.REPRODUCED: "bold red",
    Verdict.CHANGED: "bold magenta",
    Verdict.BLOCKED: "yellow",
    Verdict.FIXED: "green",
}


def verdicts(judgements: Sequence[Judgement], width: int, colour: bool) -> str:
    """Return the table of verdicts as text."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, expand=True, pad_edge=False)
    table.add_column("verdict", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("documented failure, and what was seen", ratio=1, overflow="fold")
    table.add_column("checks", no_wrap=True)
    for judgement in judgements:
        table.add_row(
            Text(judgement.verdict, style=COLOURS[judgement.verdict]),
            judgement.severity,
            Text.assemble((judgement.failure, "bold"), "\n", _seen(judgement)),
            _counts(judgement),
        )
    console = Console(
        file=io.StringIO(), width=width, force_terminal=colour, no_color=not colour, emoji=False
    )
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def _counts(judgement: Judgement) -> str:
    parts = [
        f"{judgement.failed} failed" if judgement.failed else "",
        f"{judgement.blocked} blocked" if judgement.blocked else "",
        f"{judgement.passed} passed" if judgement.passed else "",
        f"{judgement.not_run} not run" if judgement.not_run else "",
    ]
    return "\n".join(part for part in parts if part)


def _seen(judgement: Judgement) -> str:
    if judgement.sightings:
        return "\n".join(sighting.documented for sighting in judgement.sightings)
    return judgement.because
