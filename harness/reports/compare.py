"""What changed between two runs: per documented failure, and per root cause. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import msgspec

from harness.errors import UsageError

Document = Mapping[str, Any]
WRONG = ("reproduced", "changed")


class Change(StrEnum):
    """What became of something between two runs; the most urgent first."""

    CAME_BACK = "came back"
    NEW = "new"
    CHANGED = "changed"
    NOT_JUDGED = "not judged any more"
    JUDGED = "judged again"
    FIXED = "fixed"
    GONE = "gone"
    SAME = "same"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One documented failure or root cause: what became of it, and what was seen."""

    id: str
    change: Change
    before: str
    after: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """Two runs of one environment. ``warnings`` say why they can only partly be compared."""

    before: str
    after: str
    failures: tuple[Difference, ...]
    causes: tuple[Difference, ...]
    warnings: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether anything is otherwise than before."""
        return any(each.change is not Change.SAME for each in (*self.failures, *self.causes))


def compare(before: Document, after: Document) -> Comparison:
    """Return what changed. Raises UsageError for runs of different environments."""
    if before["environment"] != after["environment"]:
        raise UsageError(
            f"run {before['run']} is of environment {before['environment']}, run {after['run']} of "
            f"{after['environment']}: only runs of one environment can be compared"
        )
    return Comparison(
        before=before["run"],
        after=after["run"],
        failures=tuple(_failures(before, after)),
        causes=tuple(_causes(before, after)),
        warnings=tuple(_warnings(before, after)),
    )


def lines(found: Comparison) -> Iterator[str]:
    """Yield the comparison for a terminal: what changed, then what could not be compared."""
    yield f"since {found.before}: " + (_told(found) or "nothing changed")
    yield from (f"  warning: {text}" for text in found.warnings)


def _told(found: Comparison) -> str:
    told = []
    for change in Change:
        failures = [each.id for each in found.failures if each.change is change]
        causes = [f"cause {each.id}" for each in found.causes if each.change is change]
        if change is not Change.SAME and (failures or causes):
            told.append(f"{change}: {', '.join([*failures, *causes])}")
    return "; ".join(told)


def _failures(before: Document, after: Document) -> Iterator[Difference]:
    earlier = {each["failure"]: each for each in before["verdicts"]}
    for now in after["verdicts"]:
        then = earlier.get(now["failure"])
        yield Difference(
            id=now["failure"],
            change=_became(then, now),
            before=_said(then) if then else "not in this run",
            after=_said(now),
        )


def _became(then: Document | None, now: Document) -> Change:
    was, is_now = then["verdict"] if then else None, now["verdict"]
    if then is not None and was == is_now:
        return Change.SAME if _signatures(then) == _signatures(now) else Change.CHANGED
    if is_now == "blocked":
        return Change.NOT_JUDGED if was else Change.SAME
    if is_now == "fixed":
        return Change.FIXED if was in WRONG else Change.JUDGED if was else Change.SAME
    if was == "fixed":
        return Change.CAME_BACK
    return Change.CHANGED if was in WRONG else Change.NEW


def _signatures(judgement: Document) -> set[str]:
    return {each["signature"] for each in judgement["sightings"]}


def _said(judgement: Document) -> str:
    seen = ", ".join(sorted(_signatures(judgement)))
    return f"{judgement['verdict']} ({seen})" if seen else str(judgement["verdict"])


def _causes(before: Document, after: Document) -> Iterator[Difference]:
    then = {each["check"]: each["finding"] for each in before["root_causes"]}
    now = {each["check"]: each["finding"] for each in after["root_causes"]}
    for id in (*now, *(id for id in then if id not in now)):
        yield Difference(
            id=id,
            change=_cause_became(then.get(id), now.get(id)),
            before=then[id]["observed"] if id in then else "",
            after=now[id]["observed"] if id in now else "",
        )


def _cause_became(then: Document | None, now: Document | None) -> Change:
    if then is None:
        return Change.NEW
    if now is None:
        return Change.GONE
    return Change.SAME if then["what"] == now["what"] else Change.CHANGED


def _warnings(before: Document, after: Document) -> Iterator[str]:
    then, now = ({check["id"] for check in each["checks"]} for each in (before, after))
    if left_out := sorted(then - now):
        yield f"{len(left_out)} checks of {before['run']} were not in this run: {left_out[0]}, …"
    if added := sorted(now - then):
        yield f"{len(added)} checks were not in {before['run']}: {added[0]}, …"
    points = [set(each.get("vantage_points", ())) for each in (before, after)]
    if points[0] != points[1]:
        yield (
            f"probes ran from {_named(points[0])} then, and from {_named(points[1])} now: "
            "what differs may differ for that reason alone"
        )


def _named(points: set[str]) -> str:
    return ", ".join(sorted(points)) or "nowhere"
