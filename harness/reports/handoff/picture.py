"""The way of a request through the platform, with the links that are broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

from harness import settings_file
from harness.errors import UsageError
from harness.reports.handoff.model import Link, LinkState, Part, Picture
from harness.verdicts import CheckResult, Status


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class PartEntry(_Entry, frozen=True, kw_only=True):
    """A part of the platform and the checks about it; ``at`` is column and row."""

    title: str
    at: tuple[int, int]
    checks: tuple[str, ...] = ()


class LinkEntry(_Entry, frozen=True, kw_only=True):
    """A link between two parts and the checks about it."""

    start: str = msgspec.field(name="from")
    end: str = msgspec.field(name="to")
    says: str
    checks: tuple[str, ...] = ()


class Layout(_Entry, frozen=True, kw_only=True):
    """The parts and links of the picture: ``causes/request-path.yaml``."""

    parts: dict[str, PartEntry]
    links: tuple[LinkEntry, ...]


def load(path: Path) -> Layout:
    """Return the layout in ``path``. Raises UsageError if a link leads nowhere."""
    layout = settings_file.convert(settings_file.read_mapping(path), Layout, path)
    for number, link in enumerate(layout.links):
        for end in (link.start, link.end):
            if end not in layout.parts:
                raise UsageError(f"{path}: links[{number}]: there is no part '{end}'")
    return layout


def picture(layout: Layout, checks: Mapping[str, CheckResult], roots: Mapping[str, int]) -> Picture:
    """Return the picture; ``roots`` are the numbers of the root causes by their check."""
    return Picture(
        parts=tuple(
            Part(
                id=id,
                title=entry.title,
                at=entry.at,
                state=_state(entry.checks, checks, roots),
                causes=_numbers(entry.checks, roots),
            )
            for id, entry in layout.parts.items()
        ),
        links=tuple(
            Link(
                start=entry.start,
                end=entry.end,
                says=entry.says,
                state=_state(entry.checks, checks, roots),
                causes=_numbers(entry.checks, roots),
                why=_why(entry.checks, checks, roots),
            )
            for entry in layout.links
        ),
    )


def _numbers(ids: Iterable[str], roots: Mapping[str, int]) -> tuple[int, ...]:
    return tuple(sorted(roots[id] for id in ids if id in roots))


def _state(
    ids: tuple[str, ...], checks: Mapping[str, CheckResult], roots: Mapping[str, int]
) -> LinkState:
    if _numbers(ids, roots):
        return LinkState.BROKEN
    found = {checks[id].status for id in ids if id in checks}
    if Status.FAILED in found:
        return LinkState.AFFECTED
    if not found or found & {Status.BLOCKED, Status.BROKEN}:
        return LinkState.UNKNOWN
    return LinkState.WORKS


def _why(ids: tuple[str, ...], checks: Mapping[str, CheckResult], roots: Mapping[str, int]) -> str:
    mine = [checks[id] for id in ids if id in checks]
    failed = [c for c in mine if c.status is Status.FAILED]
    failed.sort(key=lambda check: (check.id not in roots, check.finding is None))
    if failed:
        return failed[0].finding.what if failed[0].finding else failed[0].message
    lacking = [c for c in mine if c.status is not Status.PASSED]
    if lacking:
        return lacking[0].message
    return f"{len(mine)} checks passed" if mine else "no check of this run looked at it"
