"""One answer to one question: is this documented failure fixed? Pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from harness import exit_codes
from harness.catalogue import DocumentedFailure
from harness.diagnosis import Graph
from harness.verdicts import CheckResult, Judgement, Status, Verdict

WRONG = (Verdict.REPRODUCED, Verdict.CHANGED)
_WORDS = {
    Verdict.FIXED: ("FIXED", exit_codes.PASSED),
    Verdict.REPRODUCED: ("STILL THERE", exit_codes.FAILED),
    Verdict.CHANGED: ("CHANGED", exit_codes.FAILED),
    Verdict.BLOCKED: ("NOT JUDGED", exit_codes.USAGE),
}
NOT_JUDGED = _WORDS[Verdict.BLOCKED]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The answer in one or two words, what it rests on, and the exit code that says the same."""

    word: str
    failure: str
    because: str
    exit_code: int
    notes: tuple[str, ...] = ()


def wanted(failure: str, graph: Graph) -> set[str]:
    """Return the cause checks that could explain a documented failure, near or far."""
    direct = {id for id, node in graph.causes.items() if failure in node.explains}
    return direct | {upstream for id in direct for upstream in graph.upstream(id)}


def answer(
    failure: DocumentedFailure,
    judgements: Iterable[Judgement],
    results: Iterable[CheckResult],
    notes: Iterable[str] = (),
) -> Answer:
    """Return what a run's verdict on the failure means to whoever mends it."""
    judgement = next((each for each in judgements if each.failure == failure.id), None)
    if judgement is None:
        word, code = NOT_JUDGED
        because = "none of its symptom checks was run"
    else:
        word, code = _WORDS[judgement.verdict]
        because = _because(failure, judgement, list(results))
    return Answer(
        word=word, failure=failure.id, because=because, exit_code=code, notes=tuple(notes)
    )


def _because(failure: DocumentedFailure, judgement: Judgement, results: list[CheckResult]) -> str:
    symptoms = [each for each in results if each.role == "symptom" and failure.id in each.failures]
    if judgement.verdict is Verdict.FIXED:
        others = f"; {judgement.not_run} did not run" if judgement.not_run else ""
        return f"{judgement.passed} of {len(symptoms)} symptom checks passed{others}"
    if judgement.verdict is Verdict.REPRODUCED:
        seen = dict.fromkeys(each.documented for each in judgement.sightings)
        return "with the same signature: " + "; ".join(seen)
    unlike = Status.BLOCKED if judgement.verdict is Verdict.BLOCKED else Status.FAILED
    first = next((each for each in symptoms if each.status is unlike), None)
    told = first.message.splitlines()[0] if first and first.message else judgement.because
    how = "" if judgement.verdict is Verdict.BLOCKED else "it fails in another way: "
    return how + (f"{first.id}: {told}" if first else told)


def deployed_since(
    failure: str, deployed: Mapping[str, str], earlier: Iterable[Mapping[str, Any]]
) -> tuple[str, ...]:
    """Return a note if the same, or something older, is deployed than when the failure was seen.

    ``earlier`` are the results of earlier runs, the latest first; ``deployed`` names the revision
    (``family:number``) that each service is deployed with.
    """
    last = next((each for each in earlier if _was_wrong(failure, each)), None)
    then: Mapping[str, str] = last.get("deployed", {}) if last else {}
    known = {name: (then[name], now) for name, now in deployed.items() if name in then}
    if last is None or not known:
        return ()
    older = [f"{now} (then {was})" for was, now in known.values() if _number(now) < _number(was)]
    if older:
        return (f"older than what failed in run {last['run']} is deployed: {', '.join(older)}",)
    if all(was == now for was, now in known.values()):
        same = ", ".join(now for _, now in known.values())
        return (f"the same is deployed as in run {last['run']}, where it failed: {same}",)
    return ()


def _was_wrong(failure: str, document: Mapping[str, Any]) -> bool:
    return any(
        each["failure"] == failure and each["verdict"] in WRONG for each in document["verdicts"]
    )


def _number(revision: str) -> int:
    number = revision.rpartition(":")[2]
    return int(number) if number.isdecimal() else 0
