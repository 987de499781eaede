"""What a pipeline's own page shows: a summary, and an annotation for each root cause.

GitHub's file commands and workflow commands; elsewhere nothing is written.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from harness.diagnosis import RootCause

SUMMARY = "GITHUB_STEP_SUMMARY"
ACTIONS = "GITHUB_ACTIONS"


def summarise(text: str, variables: Mapping[str, str] = os.environ) -> None:
    """Add ``text`` (Markdown) to the step's summary, if this is a step of a workflow."""
    if name := variables.get(SUMMARY):
        with Path(name).open("a", encoding="utf-8") as page:
            page.write(f"{text}\n")


def is_asked_for(variables: Mapping[str, str] = os.environ) -> bool:
    """Whether there is a summary to write to."""
    return bool(variables.get(SUMMARY))


def errors(causes: Iterable[RootCause], variables: Mapping[str, str] = os.environ) -> Iterator[str]:
    """Yield a workflow command for each root cause; consequences are not worth one."""
    if variables.get(ACTIONS) != "true":
        return
    for number, cause in enumerate(causes, 1):
        found = cause.finding
        mend = f" Mend it: {'; '.join(found.mend)}" if found.mend else ""
        text = f"{found.what} ({found.resource}): {found.observed}.{mend}"
        yield _error(f"Root cause {number}", text)


def tell_end(message: str, variables: Mapping[str, str] = os.environ) -> None:
    """Tell a run's end before anything was judged, on the page and as an annotation."""
    summarise(f"## {message}", variables)
    if variables.get(ACTIONS) == "true":
        print(f"\n{_error('Gate', message)}")


def _error(title: str, text: str) -> str:
    return f"::error title={_escaped(title, ':,')}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    for letter in "%\r\n" + more:
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text
