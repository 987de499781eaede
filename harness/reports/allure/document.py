"""One check's result as Allure reads it: what pytest knows, with what this suite says of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from harness.catalogue import Catalogue
from harness.diagnosis import Diagnosis, RootCause
from harness.reports.hands import Document
from harness.verdicts import CheckResult, Status

HAND_OFF = "handoff.html"
SEVERITY = {"p0": "blocker", "p1": "critical", "p2": "normal", "p3": "minor"}
STORY = {"symptom": "What a user of the platform sees", "cause": "Links of the chain behind it"}
# Begins with a number, as the documented failures do: the tree is in their order, this one first.
FIRST = "0. Root causes: mend these first"
# Host and thread name this machine, and would part one check's history; allure-pytest's own suite
# is a folder of this repository.
REPLACED = ("host", "thread", "parentSuite")


def described(
    result: Document, check: CheckResult, catalogue: Catalogue, steps: Sequence[Document]
) -> Document:
    """Return what allure-pytest has of a check, with this suite's labels and the observations."""
    labels = [each for each in result.get("labels", []) if each["name"] not in REPLACED]
    return {
        **result,
        "labels": [*_labels(check, catalogue), *labels],
        "steps": [*steps, *(result.get("steps") or [])],
    }


def _labels(check: CheckResult, catalogue: Catalogue) -> list[Document]:
    told = [("severity", SEVERITY[check.severity]), ("check", check.id)]
    told += [("tag", check.severity), ("tag", check.role)]
    for documented in (catalogue[failure] for failure in check.failures):
        told += [
            ("epic", "Documented failures of 2025-08-06"),
            ("feature", f"{documented.number}. {documented.title}"),
            ("story", STORY[check.role]),
            ("parentSuite", documented.component),
            ("owner", documented.owner),
            ("documentedFailure", documented.id),
        ]
    if not check.failures:
        place = "Beyond the documented failures"
        # After all that are.
        told += [("feature", f"{len(catalogue) + 1}. {place}"), ("parentSuite", place)]
    seen = (each for sightings in check.sightings.values() for each in sightings)
    told += [("signature", each.signature) for each in seen]
    # As long as nothing is known of root causes.
    told.append(("verdict", _verdict(check, explained=False, is_cause=False)))
    return [{"name": name, "value": value} for name, value in told]


def completed(result: Document, check: CheckResult, diagnosis: Diagnosis) -> Document:
    """Return a described result with its verdict, and what is known of the root causes."""
    causes = _causes_of(check, diagnosis)
    is_cause = any(check.id in (cause.check, *cause.same) for cause in causes)
    verdict = _verdict(check, explained=bool(causes), is_cause=is_cause)
    labels = [each for each in result["labels"] if each["name"] != "verdict"]
    labels.append({"name": "verdict", "value": verdict})
    kind = "rootCause" if is_cause else "consequenceOf"
    labels += [{"name": kind, "value": cause.finding.what} for cause in causes]
    labels += [{"name": "feature", "value": FIRST}] if is_cause else []
    # Without the name of the exception's class, and where this suite noticed that it cannot judge:
    # neither tells a reader anything.
    details = {**(result.get("statusDetails") or {}), "message": check.message}
    if check.status is Status.BLOCKED:
        details.pop("trace", None)
    return {
        **result,
        **({"statusDetails": details} if check.message else {}),
        "name": _headline(check, causes if is_cause else []) or result["name"],
        "description": "\n\n".join(
            _description(result.get("description", ""), check, causes, is_cause)
        ),
        # The documented failure was seen: that is an answer, even where the transport gave it.
        "status": "failed" if verdict == "reproduced" else result["status"],
        "labels": [each for at, each in enumerate(labels) if each not in labels[:at]],
        "parameters": [_plain(each) for each in result.get("parameters", [])],
        "links": [*result.get("links", []), *_links(check)],
    }


def _plain(parameter: Document) -> Document:
    # allure-pytest gives Python's notation of a text, quotes and all.
    value = parameter["value"]
    quoted = len(value) > 1 and value[0] == value[-1] == "'"
    return {**parameter, "value": value[1:-1] if quoted else value}


def _headline(check: CheckResult, causes: Sequence[RootCause]) -> str:
    if causes:
        return f"Root cause: {causes[0].finding.what}"
    _name, bracket, parameters = check.id.partition("[")
    return f"{check.title.rstrip('.')} {bracket}{parameters}".strip()


def _verdict(check: CheckResult, *, explained: bool, is_cause: bool) -> str:
    if check.status is Status.PASSED:
        return "fixed" if check.role == "symptom" else "passed"
    if check.status is not Status.FAILED:
        return "blocked"
    if is_cause:
        return "root-cause"
    if any(check.sightings.values()):
        return "reproduced"
    return "consequence" if explained and check.role == "cause" else "changed"


def _causes_of(check: CheckResult, diagnosis: Diagnosis) -> list[RootCause]:
    if check.status is not Status.FAILED:
        return []
    return [
        cause
        for cause in diagnosis.root_causes
        if check.id in (cause.check, *cause.same, *cause.consequences)
        or (check.role == "symptom" and set(check.failures) & set(cause.explains))
    ]


def _description(
    text: str, check: CheckResult, causes: Iterable[RootCause], is_cause: bool
) -> list[str]:
    paragraphs = [text] if text else []
    if check.status is Status.BLOCKED:
        paragraphs.append(f"**Not judged**: {check.message}")
        paragraphs += [f"**What would let it be judged**: {check.remedy}"] if check.remedy else []
    for cause in causes:
        paragraphs.append(
            f"**{'Root cause' if is_cause else 'Follows from'}**: {cause.finding.what}"
        )
        if is_cause:
            commands = "\n".join(cause.finding.mend)
            paragraphs.append(f"**Mend it**:\n\n```\n{commands}\n```")
        paragraphs.append(f"**Prove it**: `{cause.prove}`")
    return paragraphs


def _links(check: CheckResult) -> list[Document]:
    # Relative: the hand-off lies beside the report, wherever both are copied to.
    return [
        {"type": "issue", "name": f"hand-off: {failure}", "url": f"{HAND_OFF}#failure-{failure}"}
        for failure in check.failures
    ]


def label(result: Document, name: str) -> str:
    """Return the value of a result's label; empty if it has none of that name."""
    found = (each["value"] for each in result.get("labels", []) if each["name"] == name)
    return next(found, "")
