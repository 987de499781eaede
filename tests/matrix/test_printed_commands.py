"""What the hand-off prints works as pasted: its steps reproduce, its fixes mend."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import session
from tests.matrix import handed_over
from tests.matrix.judging import judge, judge_until_green
from tests.matrix.pasting import paste
from tests.matrix.stage import Stage

NEEDED = ("curl", "getent", "bash")
MISSING = [name for name in NEEDED if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not on PATH: {', '.join(MISSING)}")

Variables = dict[str, str]
SHOWS_WITHIN = 45.0
# One fault for each kind of fix that a cause check prints.
KINDS = (
    "api-image-not-pushed",
    "auth-throttles",
    "app-secret-deleted",
    "database-stopped",
    "password-changed-at-the-instance-only",
    "cloud-map-service-deleted",
    "mlflow-instance-deregistered",
    "stale-instance-beside-the-task",
    "no-rule-from-api-to-mlflow",
    "tasks-without-egress",
    "acl-denies-mlflow",
    "vpc-without-dns",
    "public-subnets-without-a-route",
    "registry-without-http",
    "certificate-self-signed",
    "api-health-check-asks-another-path",
)


@pytest.fixture(scope="module")
def lab() -> Iterator[Variables]:
    """The incident; the last test of this file mends it."""
    with session.start("incident-2025-08-06") as started:
        yield started.environment


@pytest.fixture(scope="module")
def document(lab: Variables, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The hand-off of the incident, in Markdown."""
    reports = tmp_path_factory.mktemp("reports")
    judge(lab, reports)
    return (reports / "local" / "latest" / "handoff.md").read_text(encoding="utf-8")


def test_every_printed_step_shows_what_the_suite_saw(lab: Variables, document: str) -> None:
    steps = handed_over.steps(document)
    assert len({step.failure for step in steps}) == 8
    wrong = []
    for step in steps:
        pasted = handed_over.paste(step.line, lab)
        if not handed_over.shows(pasted, step.seen):
            wrong.append(
                f"{step.line}\n  seen: {step.seen}\n  now ({pasted.code}): {pasted.output}"
            )
    assert wrong == [], "\n".join(wrong)


def test_every_printed_fix_mends(lab: Variables, document: str, tmp_path: Path) -> None:
    mendings = handed_over.mendings(document)
    assert len(mendings) == 5
    for mending in mendings:
        for line in mending.lines:
            paste(line, lab, tmp_path)
    seen = judge_until_green(lab, tmp_path / "reports")
    assert (seen.exit_code, seen.failed) == (0, {}), seen.output


@pytest.mark.parametrize("fault", KINDS)
def test_each_kind_of_printed_fix_mends(fault: str, stage: Stage, tmp_path: Path) -> None:
    stage.apply([fault])
    try:
        judge_until_it_shows(stage.environment, tmp_path)
        document = (tmp_path / "local" / "latest" / "handoff.md").read_text(encoding="utf-8")
        for mending in handed_over.mendings(document):
            for line in mending.lines:
                paste(line, stage.environment, tmp_path)
        assert judge_until_green(stage.environment, tmp_path).failed == {}
    except BaseException:
        stage.close()
        raise


def judge_until_it_shows(lab: Variables, reports: Path) -> None:
    """Judge until a cause is found: a fault may take its time, as a rollout does."""
    deadline = time.monotonic() + SHOWS_WITHIN
    while not (seen := judge(lab, reports)).root_causes:
        assert time.monotonic() < deadline, seen.output
