"""What changed since the previous run of the same checks on the same environment."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from harness.reports import compare, history
from harness.reports.compare import Comparison

NAME = "compare.json"
SINCE = pytest.StashKey[Comparison]()


def write(config: pytest.Config, folder: Path) -> None:
    """Write ``compare.json`` into the run's folder, if there is a run to compare it with."""
    document = history.load(folder)
    if document["replayed"]:
        return
    previous = next((each for each in history.before(folder) if _alike(each, document)), None)
    if previous is None:
        return
    found = compare.compare(previous, document)
    config.stash[SINCE] = found
    encoded = msgspec.json.format(msgspec.json.encode(found), indent=2)
    (folder / NAME).write_bytes(encoded + b"\n")


def show(reporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say in a line or two what changed."""
    if (found := config.stash.get(SINCE, None)) is not None:
        for line in compare.lines(found):
            reporter.write_line(line)


def _alike(one: history.Document, other: history.Document) -> bool:
    def checks(document: history.Document) -> set[str]:
        return {each["id"] for each in document["checks"]}

    return checks(one) == checks(other)
