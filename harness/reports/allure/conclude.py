"""What only the end of a run knows, told to Allure: verdicts, root causes, what follows of which.

Allure's results are written check by check. Those of failed checks are completed here, once a run,
by the controller.
"""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.catalogue import Catalogue
from harness.diagnosis import Diagnosis, RootCause
from harness.environment import Environment
from harness.redaction import Redactor
from harness.reports.run_json import RunFacts
from harness.verdicts import CheckResult, Judgement, Status

Document = dict[str, Any]
# Where a pipeline says what it is: GitHub, GitLab, Jenkins, Azure, CircleCI, Buildkite.
PIPELINES = ("CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL")
HAND_OFF = "handoff.html"
# The verdict is decided anew; the others name this machine, and would part one check's history.
REPLACED = ("verdict", "host", "thread")
# Begins with a number, as the documented failures do: the tree is in their order, this one first.
FIRST = "0. Root causes: mend these first"


class Conclusion(msgspec.Struct, frozen=True, kw_only=True):
    """A run's result, as far as Allure is told of it."""

    environment: Environment
    facts: RunFacts
    catalogue: Catalogue
    checks: Sequence[CheckResult]
    judgements: Sequence[Judgement]
    diagnosis: Diagnosis


def conclude(results: Path, told: Conclusion, redactor: Redactor) -> None:
    """Complete the results in the folder ``results``; nothing happens if there is none."""
    if not results.is_dir():
        return
    _write_properties(results / "environment.properties", redactor.clean(panel(told)))
    _write_json(results / "executor.json", executor(told.facts.run, os.environ))
    if errors := [{"message": title, "trace": text} for title, text in stories(told.diagnosis)]:
        _write_json(results / f"{uuid.uuid4()}-globals.json", redactor.clean({"errors": errors}))
    # The others were written whole: only what failed has something to learn from the run's end.
    failed = {check.id: check for check in told.checks if check.status is Status.FAILED}
    for file in results.glob("*-result.json") if failed else ():
        result: Document = msgspec.json.decode(file.read_bytes())
        if (check := failed.get(label(result, "check"))) is not None:
            done = completed(result, check, told.catalogue, told.diagnosis)
            _write_json(file, redactor.clean(done))


def judged(
    result: Document, check: CheckResult, catalogue: Catalogue, redactor: Redactor
) -> Document:
    """Return a result as it is written when its check is judged: a failed one lacks the causes."""
    if check.status is Status.FAILED:
        return result
    return redactor.clean(completed(result, check, catalogue, Diagnosis()))


def panel(told: Conclusion) -> dict[str, str]:
    """Return the rows of Allure's environment panel, what matters most first."""
    tested, causes = told.environment, told.diagnosis.root_causes
    rows = {
        f"Root cause {number} of {len(causes)}": cause.finding.what
        for number, cause in enumerate(causes, 1)
    }
    if not causes:
        rows["Root cause"] = _why_none(told)
    wrong: dict[str, list[str]] = {}
    for judgement in told.judgements:
        wrong.setdefault(judgement.verdict, []).append(judgement.failure)
    rows |= {f"Documented failures {verdict}": ", ".join(ids) for verdict, ids in wrong.items()}
    rows |= {
        "Environment": f"{tested.name}: {tested.description}"
        if tested.description
        else tested.name,
        "Registry": tested.registry.url,
        "Region": tested.aws.region if tested.aws else "none",
        "Run": told.facts.run,
        "Probed from": ", ".join(told.facts.vantage_points) or "nowhere",
    }
    deployed = ", ".join(told.facts.deployed.values())
    return rows | ({"Deployed": deployed} if deployed else {})


def stories(diagnosis: Diagnosis) -> list[tuple[str, str]]:
    """Return each root cause as a headline and the text below it."""
    causes = diagnosis.root_causes
    return [
        (f"Root cause {number} of {len(causes)}: {cause.finding.what}", _story(cause))
        for number, cause in enumerate(causes, 1)
    ]


def executor(run: str, variables: Mapping[str, str]) -> Document:
    """Return Allure's executor panel: what ran the checks, and the pipeline's page if any."""
    address = next((variables[name] for name in PIPELINES if variables.get(name)), "")
    if variables.get("GITHUB_RUN_ID"):
        place = f"{variables.get('GITHUB_SERVER_URL', '')}/{variables.get('GITHUB_REPOSITORY', '')}"
        address = f"{place}/actions/runs/{variables['GITHUB_RUN_ID']}"
    made = {"name": f"pytest, Python {platform.python_version()}", "type": "pytest"}
    return made | ({"buildName": run, "buildUrl": address} if address else {})


def completed(
    result: Document, check: CheckResult, catalogue: Catalogue, diagnosis: Diagnosis
) -> Document:
    """Return one of Allure's results with what is known of its check and of the root causes."""
    causes = _causes_of(check, diagnosis)
    is_cause = any(check.id in (cause.check, *cause.same) for cause in causes)
    labels = [each for each in result.get("labels", []) if each["name"] not in REPLACED]
    verdict = _verdict(check, bool(causes), is_cause)
    labels.append({"name": "verdict", "value": verdict})
    kind = "rootCause" if is_cause else "consequenceOf"
    labels += [{"name": kind, "value": cause.finding.what} for cause in causes]
    labels += [{"name": "feature", "value": FIRST}] if is_cause else []
    if not check.failures:
        # allure-pytest's own suite is a folder of this repository.
        labels = [each for each in labels if each["name"] != "parentSuite"]
        labels += _beyond(len(catalogue) + 1)
    # Without the name of the exception's class, which tells a reader nothing.
    details = {**(result.get("statusDetails") or {}), "message": check.message}
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


def _beyond(number: int) -> list[Document]:
    """Return where a check is found that is about no documented failure: after all that are."""
    place = "Beyond the documented failures"
    return [
        {"name": "feature", "value": f"{number}. {place}"},
        {"name": "parentSuite", "value": place},
    ]


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


def _verdict(check: CheckResult, explained: bool, is_cause: bool) -> str:
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


def _story(cause: RootCause) -> str:
    found = cause.finding
    lines = [
        f"where:     {found.resource}",
        f"expected:  {found.expected}",
        f"observed:  {found.observed}",
        f"explains:  {', '.join(cause.explains) or 'no documented failure'}",
        "",
        "mend it:",
        *(f"  {line}" for line in found.mend),
        "",
        "prove it:",
        f"  {cause.prove}",
    ]
    return "\n".join(lines)


def _why_none(told: Conclusion) -> str:
    if any(check.status is Status.FAILED for check in told.checks):
        return "not found: what failed has no failed cause behind it"
    if any(check.status is Status.BLOCKED for check in told.checks):
        return "none found: nothing failed, but not everything could be judged"
    return "none: nothing failed"


def label(result: Document, name: str) -> str:
    """Return the value of a result's label; empty if it has none of that name."""
    found = (each["value"] for each in result.get("labels", []) if each["name"] == name)
    return next(found, "")


def _write_json(file: Path, document: Document) -> None:
    file.write_bytes(msgspec.json.encode(document))


def _write_properties(file: Path, rows: Mapping[str, str]) -> None:
    """Write a Java properties file, the format that Allure reads."""
    lines = [
        f"{_escaped(name).replace(' ', chr(92) + ' ')}={_escaped(rows[name])}" for name in rows
    ]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace("\n", " ").replace("\r", " ")
    return text.replace("=", "\\=").replace(":", "\\:")
