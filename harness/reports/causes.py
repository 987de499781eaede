"""Root causes for terminals: what is wrong, the evidence, and the command that mends it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from harness.diagnosis import Diagnosis, RootCause

INDENT = "     "


def lines(diagnosis: Diagnosis, width: int) -> Iterator[str]:
    """Yield the diagnosis as lines; commands are never wrapped, so that they can be pasted."""
    for number, cause in enumerate(diagnosis.root_causes, 1):
        yield from _cause(number, cause, width)
    if diagnosis.unexplained:
        yield "no cause found for: " + ", ".join(diagnosis.unexplained)
    if diagnosis.unknown:
        text = "could not be judged, and may be a cause: " + ", ".join(diagnosis.unknown)
        yield from textwrap.wrap(text, width, subsequent_indent=INDENT)


def _cause(number: int, cause: RootCause, width: int) -> Iterator[str]:
    found = cause.finding
    yield from textwrap.wrap(f"{number:>3}. {found.what}", width, subsequent_indent=INDENT)
    facts = (
        ("where", found.resource),
        ("expected", found.expected),
        ("observed", found.observed),
        ("explains", ", ".join(cause.explains)),
    )
    for name, text in facts:
        if text:
            first, rest = f"{INDENT}{name:<9}", INDENT + " " * 9
            yield from textwrap.wrap(
                text, width, initial_indent=first, subsequent_indent=rest, break_long_words=False
            )
    for command in found.mend:
        yield f"{INDENT}$ {command}"
    yield f"{INDENT}prove it: {cause.prove}"
