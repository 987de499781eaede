"""What Allure is told of a whole run: its facts, the root causes, and what ran the checks."""

from __future__ import annotations

import os
import platform
import uuid
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness.diagnosis import Diagnosis, RootCause
from harness.environment import Environment
from harness.project import Project
from harness.redaction import Redactor
from harness.reports.hands import Document, Judged
from harness.verdicts import Status

# Where a pipeline says what it is: GitHub, GitLab, Jenkins, Azure, CircleCI, Buildkite.
PIPELINES = ("CI_JOB_URL", "BUILD_URL", "CIRCLE_BUILD_URL", "BUILDKITE_BUILD_URL")


def conclude(results: Path, judged: Judged, project: Project, redactor: Redactor) -> None:
    """Write what is about the whole run into Allure's folder. Raises OSError."""
    rows = panel(judged, project.environment)
    _write_properties(results / "environment.properties", redactor.clean(rows))
    _write_json(results / "executor.json", executor(judged.facts.run, os.environ))
    if errors := [{"message": title, "trace": text} for title, text in stories(judged.diagnosis)]:
        _write_json(results / f"{uuid.uuid4()}-globals.json", redactor.clean({"errors": errors}))


def panel(told: Judged, tested: Environment) -> dict[str, str]:
    """Return the rows of Allure's environment panel, what matters most first."""
    causes = told.diagnosis.root_causes
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


def _why_none(told: Judged) -> str:
    if any(check.status is Status.FAILED for check in told.checks):
        return "not found: what failed has no failed cause behind it"
    if any(check.status is Status.BLOCKED for check in told.checks):
        return "none found: nothing failed, but not everything could be judged"
    return "none: nothing failed"


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
