"""Waivers: what of a run's failures is known and borne for a time. Pure functions.

A waiver changes no verdict and hides no failure: it only keeps what it covers from failing the run.
"""

import datetime
import difflib
from collections.abc import Collection, Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec

from harness.catalogue import Catalogue
from harness.environment import Environment, Waiver
from harness.errors import UsageError
from harness.verdicts import CheckResult, Judgement, Status, Verdict

BEARABLE = (Status.FAILED, Status.BLOCKED)


class State(StrEnum):
    """What became of a waiver in a run; the most urgent first."""

    EXPIRED = "expired"
    NEEDLESS = "no longer needed"
    IN_FORCE = "in force"


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """One waiver in one run: ``checks`` are the ids of the failed or blocked checks it covers."""

    waiver: Waiver
    state: State
    checks: tuple[str, ...] = ()


def require_known(environment: Environment, catalogue: Catalogue) -> None:
    """Raise UsageError for a waiver of a documented failure that there is not."""
    for waiver in environment.waivers:
        if waiver.failure is not None and waiver.failure not in catalogue:
            known = ", ".join(catalogue)
            raise UsageError(
                f"environments/{environment.name}.yaml: waivers: unknown failure id "
                f"'{waiver.failure}': failures/ has {known}"
            )


def require_checks(environment: Environment, known: Collection[str]) -> None:
    """Raise UsageError for a waiver of a check that there is not. ``known`` are all check ids."""
    for waiver in environment.waivers:
        if waiver.check is not None and waiver.check not in known:
            near = difflib.get_close_matches(waiver.check, known, n=3, cutoff=0.5)
            meant = f"is {' or '.join(near)} meant? " if near else ""
            raise UsageError(
                f"environments/{environment.name}.yaml: waivers: unknown check id "
                f"'{waiver.check}': {meant}run.json of any run lists them all"
            )


def apply(
    waivers: Iterable[Waiver],
    checks: Sequence[CheckResult],
    judgements: Iterable[Judgement],
    today: datetime.date,
) -> list[Applied]:
    """Return what became of each waiver that is about something that was run, most urgent first."""
    given = list(waivers)
    present = {each.failure for each in judgements if each.verdict is not Verdict.FIXED}
    applied = [
        _apply(waiver, given, about, checks, present, today)
        for waiver in given
        if (about := [check for check in checks if _is_about(waiver, check)])
    ]
    order = list(State)
    return sorted(applied, key=lambda each: order.index(each.state))


def _apply(
    waiver: Waiver,
    all_given: list[Waiver],
    about: list[CheckResult],
    checks: Sequence[CheckResult],
    present: set[str],
    today: datetime.date,
) -> Applied:
    if waiver.until < today:
        state = State.EXPIRED
    elif all(check.status is Status.PASSED for check in about):
        state = State.NEEDLESS
    else:
        state = State.IN_FORCE
    valid = {each.failure for each in all_given if each.failure and each.until >= today}
    covered = [check for check in checks if _covers(waiver, check, present, valid)]
    held = tuple(check.id for check in covered) if state is State.IN_FORCE else ()
    return Applied(waiver=waiver, state=state, checks=held)


def _is_about(waiver: Waiver, check: CheckResult) -> bool:
    if waiver.check is not None:
        return waiver.check == check.id
    return check.role == "symptom" and waiver.failure in check.failures


def _covers(waiver: Waiver, check: CheckResult, present: set[str], waived: set[str]) -> bool:
    if check.status not in BEARABLE:
        return False
    if waiver.check is not None:
        return waiver.check == check.id
    # What also speaks for a failure that nobody waived is not covered.
    shown = present & set(check.failures)
    return waiver.failure in shown and shown <= waived


def covered(applied: Iterable[Applied]) -> set[str]:
    """Return the ids of the checks that do not fail the run."""
    return {id for each in applied for id in each.checks}


def lines(applied: Iterable[Applied], file: str) -> Iterator[str]:
    """Yield each waiver for a terminal, with what is to be done about it."""
    for each in applied:
        waiver = each.waiver
        whose = f"{waiver.covers}, until {waiver.until} ({waiver.owner}: {waiver.reason})"
        if each.state is State.EXPIRED:
            yield f"waiver expired: {whose}: mend it, or decide anew in {file}; this fails the run"
        elif each.state is State.NEEDLESS:
            yield f"waiver no longer needed: {whose}: all of it passed; take it out of {file}"
        else:
            alone = "nothing: what fails speaks for other failures too"
            yield f"waived: {whose}: {', '.join(each.checks) or alone}"
