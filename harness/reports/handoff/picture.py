"""The way of a request through the platform, with the links that are broken."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.layout import Layout
from harness.reports.handoff.model import Link, LinkState, Part, Picture
from harness.verdicts import CheckResult, Status


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
