"""The gate after a deployment: waits for it, and says in its exit code what became of it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from lab import session
from lab.home import ROOT
from tests.matrix.stage import Stage
from tests.matrix.test_by_hand import Variables, client

PASSED, FAILED, USAGE, BLOCKED, NOT_DEPLOYED = 0, 1, 4, 6, 7
INCIDENT = "incident-2025-08-06"


@dataclass(frozen=True)
class Gated:
    """One run of the gate."""

    exit_code: int
    output: str
    summary: str
    metrics: str


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    made = Stage()
    yield made
    made.close()


def gate(
    lab: Variables, folder: Path, *arguments: str, said: threading.Event | None = None
) -> Gated:
    """Run the gate as a pipeline's step does; ``said`` is set with the first line it prints."""
    page, lines = folder / "summary.md", []
    with subprocess.Popen(
        [sys.executable, "-m", "harness", "test", "--env", "local", "--gate", "--tb=no", "-q",
         f"--reports={folder}", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, **lab, "GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(page),
             "PYTHONUNBUFFERED": "1"},
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if said is not None:
                said.set()
    output = "".join(lines)
    assert "Traceback" not in output
    metrics = folder / "local" / "latest" / "metrics.prom"
    return Gated(
        exit_code=process.returncode,
        output=output,
        summary=page.read_text() if page.exists() else "",
        metrics=metrics.read_text() if metrics.exists() else "",
    )


def test_a_healthy_deployment_passes(stage: Stage, tmp_path: Path) -> None:
    found = gate(stage.environment, tmp_path, "--revision", "corrected")
    assert found.exit_code == PASSED, found.output
    assert "GATE PASSED (exit code 0): api runs" in found.output
    assert "::error" not in found.output
    assert "| **fixed** | p0 |" in found.summary
    assert 'hokusai_acceptance_verdict{environment="local",failure="ssl-tls"' in found.metrics
    run = json.loads((tmp_path / "local" / "latest" / "run.json").read_text())
    assert {check["severity"] for check in run["checks"]} == {"p0", "p1"}


def test_an_incident_fails_with_its_root_causes(tmp_path: Path) -> None:
    with session.start(INCIDENT) as started:
        found = gate(started.environment, tmp_path)
    assert found.exit_code == FAILED, found.output
    assert "GATE FAILED (exit code 1)" in found.output
    annotated = [line for line in found.output.splitlines() if line.startswith("::error")]
    assert annotated
    assert all(line.startswith("::error title=Root cause") for line in annotated)
    assert "### Root causes" in found.summary
    assert "```mermaid" in found.summary


@pytest.mark.parametrize("revision", ["0123abcdef", "mlflow=2.99.99", "sha256:" + "0" * 64])
def test_another_revision_is_told_at_once(stage: Stage, tmp_path: Path, revision: str) -> None:
    found = gate(stage.environment, tmp_path, "--revision", revision, "--budget", "60s")
    assert found.exit_code == NOT_DEPLOYED, found.output
    assert "another revision" in found.output
    assert revision.partition("=")[2] or revision in found.output
    assert "NOT DEPLOYED" in found.summary
    assert "::error title=Gate::NOT DEPLOYED" in found.output


def test_a_rollout_that_was_rolled_back_is_told_at_once(stage: Stage, tmp_path: Path) -> None:
    fault = "api-container-unhealthy-and-rolled-back"
    stage.apply([fault])
    try:
        found = gate(stage.environment, tmp_path)
    finally:
        stage.heal([fault])
    assert found.exit_code == NOT_DEPLOYED, found.output
    assert "api: rolled back: ROLLBACK_SUCCESSFUL" in found.output


def test_a_rollout_in_progress_is_waited_for(stage: Stage, tmp_path: Path) -> None:
    fault, waiting = "api-container-never-healthy", threading.Event()
    stage.apply([fault])
    with ThreadPoolExecutor(1) as beside:
        gating = beside.submit(gate, stage.environment, tmp_path, "--budget", "60s", said=waiting)
        try:
            assert waiting.wait(20), "it did not say that it waits"
        finally:
            stage.heal([fault])
        found = gating.result(timeout=90)
    assert found.exit_code == PASSED, found.output
    assert "is being rolled out" in found.output


def test_a_rollout_that_never_ends_is_waited_for_within_the_budget(
    stage: Stage, tmp_path: Path
) -> None:
    fault = "api-container-never-healthy"
    stage.apply([fault])
    try:
        found = gate(stage.environment, tmp_path, "--budget", "3s")
    finally:
        stage.heal([fault])
    assert found.exit_code == NOT_DEPLOYED, found.output
    assert "not done within 3 s" in found.output


@pytest.mark.parametrize(
    ("action", "told"),
    [("ecs:ExecuteCommand", "ecs:ExecuteCommand"), ("ecs:DescribeServices", "NOT JUDGED")],
)
def test_what_cannot_be_judged_stops_a_deployment(
    stage: Stage, tmp_path: Path, action: str, told: str
) -> None:
    iam, user = client(stage.environment, "iam"), "hokusai-acceptance"
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName=user, PolicyName="less", PolicyDocument=document)
    try:
        found = gate(stage.environment, tmp_path)
    finally:
        iam.delete_user_policy(UserName=user, PolicyName="less")
    assert found.exit_code == BLOCKED, found.output
    assert told in found.output + found.summary


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--revision", "web=0123abcdef"), "there is no service 'web', only api, mlflow, auth"),
        (("--revision", "abc"), "at least 7 letters"),
        (("--budget", "soon"), "a time like 90s or 5m"),
    ],
)
def test_bad_input_is_a_usage_error(
    stage: Stage, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    found = gate(stage.environment, tmp_path, *arguments)
    assert found.exit_code == USAGE, found.output
    assert told in found.output


def test_a_plain_shell_can_run_it(stage: Stage, tmp_path: Path) -> None:
    script = str(ROOT / "scripts" / "gate.sh")
    code, said = shell([script], tmp_path, {})
    assert (code, "export ENVIRONMENT=prod" in said) == (USAGE, True), said
    asked = {**stage.environment, "ENVIRONMENT": "local", "REVISION": "0123abcdef"}
    code, said = shell([script], tmp_path, asked)
    assert (code, "NOT DEPLOYED" in said) == (NOT_DEPLOYED, True), said


def test_the_actions_own_steps_run_the_gate(stage: Stage, tmp_path: Path) -> None:
    """The shell steps of the composite action, as a runner would start them."""
    action = yaml.safe_load((ROOT / ".github/actions/gate/action.yml").read_text())
    given = {"environment": "local", "revision": "corrected", "budget": "60s"}
    outputs: dict[str, str] = {}
    ran = []
    for step in action["runs"]["steps"]:
        if "run" not in step:
            continue
        written = tmp_path / f"{step['id']}.out"
        variables = {k: filled(v, given, outputs) for k, v in step.get("env", {}).items()}
        variables |= {
            "GITHUB_ACTION_PATH": str(ROOT / ".github/actions/gate"),
            "GITHUB_OUTPUT": str(written),
            "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        }
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
        code, said = shell(command, tmp_path, {**stage.environment, **variables})
        assert code == 0, said
        ran.append(step["id"])
        if written.exists():
            outputs |= dict(line.split("=", 1) for line in written.read_text().splitlines())
    assert ran == ["place", "gate"]
    assert outputs["reports"] == str(ROOT / "reports")
    assert "GATE PASSED" in (tmp_path / "summary.md").read_text()


def filled(text: str, inputs: dict[str, str], outputs: dict[str, str]) -> str:
    """Fill a step's expressions in: what is given to the action, what earlier steps put out."""

    def value(match: re.Match[str]) -> str:
        place, _, name = match[1].rpartition(".")
        return (inputs if place == "inputs" else outputs)[name]

    return re.sub(r"\$\{\{ *([\w.-]+) *\}\}", value, text)


def shell(command: list[str], folder: Path, variables: Variables) -> tuple[int, str]:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, **variables},
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr
