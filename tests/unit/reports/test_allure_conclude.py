"""What Allure is told at a run's end: a reader finds the root cause before anything else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness.diagnosis import Diagnosis, diagnose
from harness.observation import (
    AwsObservation,
    DnsObservation,
    HttpObservation,
    Observation,
    PostgresObservation,
    TcpObservation,
    TlsObservation,
    VariablesObservation,
)
from harness.project import Data, Project
from harness.redaction import Redactor
from harness.reports import exchange
from harness.reports.allure import conclude
from harness.reports.allure.document import FIRST
from harness.reports.allure.results import Results
from harness.reports.hands import Judged
from harness.verdicts import CheckResult
from tests.unit.reports.handoff_sources import CHECKS, GRAPH, LAYOUT, sources

NAMESPACE = "cloud-map-has-the-namespace"
HOST = {"name": "host", "value": "this-machine"}
TAG = {"name": "tag", "value": "p0"}
SEEN = DnsObservation(probe="1", label="resolve a.example", name="a.example", answers=("10.0.0.1",))
SECRET = "s3cr\"et'%ü-of-the-run"


def told() -> Judged:
    found = sources()
    return Judged(
        facts=found.facts,
        record="",
        duration_s=1.0,
        checks=found.checks,
        judgements=found.judgements,
        diagnosis=diagnose(GRAPH, CHECKS, found.judgements, "prod"),
    )


def of_project() -> Project:
    found = sources()
    data = Data(catalogue=found.catalogue, graph=GRAPH, layout=LAYOUT)
    return Project(environment=found.environment, data=data)


def of_run(results: Path) -> Results:
    return Results(results, of_project(), Redactor([SECRET]))


def from_pytest(number: int) -> dict[str, Any]:
    return {
        "uuid": f"{number}",
        "name": f"test_{number}",
        "fullName": f"a#{number}",
        "status": "broken",
        "statusDetails": {"message": "AssertionError: said", "trace": "hooks.py:1"},
        "parameters": [{"name": "environment", "value": "'prod'"}],
        "description": f"said {SECRET}",
        "labels": [{"name": "parentSuite", "value": "tests.acceptance"}, HOST, TAG, TAG],
    }


def concluded(
    results: Path, *checks: CheckResult, by: Results | None = None
) -> dict[str, dict[str, Any]]:
    """Return Allure's results after the run's end, by check."""
    results.mkdir()
    here = of_run(results)
    for number, check in enumerate(checks):
        here.add(from_pytest(number), check, [SEEN])
    (by or here).conclude(told())
    return {
        check.id: json.loads((results / f"{number}-result.json").read_text())
        for number, check in enumerate(checks)
    }


def panel(judged: Judged) -> dict[str, str]:
    return conclude.panel(judged, sources().environment)


def labels(result: dict[str, Any], name: str) -> list[str]:
    return [each["value"] for each in result["labels"] if each["name"] == name]


def test_the_root_cause_comes_first_everywhere(tmp_path: Path) -> None:
    what = "Cloud Map has no private namespace hokusai.local"
    results = tmp_path / "results"
    by_check = concluded(results, *CHECKS)
    cause = by_check[NAMESPACE]
    assert cause["name"] == f"Root cause: {what}"
    assert FIRST in labels(cause, "feature")
    assert labels(cause, "rootCause") == [what]
    assert "aws servicediscovery create-private-dns-namespace" in cause["description"]
    first = (results / "environment.properties").read_text().splitlines()[0]
    assert first.startswith("Root\\ cause\\ 1\\ of\\ 1=Cloud Map has no private namespace")
    errors = json.loads(next(results.glob("*-globals.json")).read_text())["errors"]
    assert errors[0]["message"] == f"Root cause 1 of 1: {what}"
    assert "make validate FAILURE=" in errors[0]["trace"]


@pytest.mark.parametrize(
    ("check", "verdict"),
    [
        ("the-mlflow-proxy-reaches-mlflow", "reproduced"),
        ("health-does-not-hang", "fixed"),
        (NAMESPACE, "root-cause"),
        ("cloud-map-has-the-service", "consequence"),
        ("no-network-acl-denies-the-tasks", "passed"),
        ("mlflow-answers-from-its-database", "blocked"),
    ],
)
def test_each_check_carries_one_verdict(tmp_path: Path, check: str, verdict: str) -> None:
    assert labels(concluded(tmp_path / "results", *CHECKS)[check], "verdict") == [verdict]


def test_a_failure_that_was_documented_is_an_answer_and_not_a_broken_transport(
    tmp_path: Path,
) -> None:
    by_check = concluded(tmp_path / "results", *CHECKS)
    assert by_check["the-internal-name-of-mlflow-resolves"]["status"] == "failed"
    assert by_check["mlflow-answers-from-its-database"]["status"] == "broken"


def test_labels_are_there_once_and_name_no_machine(tmp_path: Path) -> None:
    result = concluded(tmp_path / "results", *CHECKS)["health-does-not-hang"]
    assert labels(result, "check") == ["health-does-not-hang"]
    assert labels(result, "host") == []
    assert labels(result, "tag") == ["p0", "symptom"]
    assert len(labels(result, "parentSuite")) == 1
    assert result["parameters"] == [{"name": "environment", "value": "prod"}]


def test_what_follows_leads_to_its_root_cause_and_to_the_hand_off(tmp_path: Path) -> None:
    result = concluded(tmp_path / "results", *CHECKS)["the-mlflow-proxy-reaches-mlflow"]
    assert labels(result, "consequenceOf") == ["Cloud Map has no private namespace hokusai.local"]
    assert result["links"][0]["url"] == "handoff.html#failure-registry-api-outage"


def test_what_could_not_be_judged_says_what_would_let_it(tmp_path: Path) -> None:
    result = concluded(tmp_path / "results", *CHECKS)["mlflow-answers-from-its-database"]
    assert "**Not judged**: no way in" in result["description"]
    assert "give one" in result["description"]
    assert "trace" not in result["statusDetails"]


def test_what_was_observed_is_a_step_with_its_exchange(tmp_path: Path) -> None:
    results = tmp_path / "results"
    by_check = concluded(results, *CHECKS)
    steps = [step for result in by_check.values() for step in result["steps"]]
    files = {attached["source"] for step in steps for attached in step["attachments"]}
    assert len(steps) == len(CHECKS)
    assert len(files) == 1
    assert "getent ahosts a.example" in (results / files.pop()).read_text()


def test_results_that_others_wrote_are_completed_as_well(tmp_path: Path) -> None:
    """Workers of xdist write them; the controller knows the root causes."""
    here = concluded(tmp_path / "here", *CHECKS)
    assert concluded(tmp_path / "apart", *CHECKS, by=of_run(tmp_path / "apart")) == here


def test_no_secret_is_left_in_the_results(tmp_path: Path) -> None:
    concluded(tmp_path / "results", *CHECKS)
    for file in (tmp_path / "results").iterdir():
        text = file.read_text()
        assert SECRET not in text
        assert json.dumps(SECRET)[1:-1] not in text


def test_a_healthy_run_says_that_there_is_no_root_cause() -> None:
    healthy = msgspec.structs.replace(told(), checks=CHECKS[2:3], diagnosis=Diagnosis())
    assert panel(healthy)["Root cause"] == "none: nothing failed"


def test_what_could_not_be_judged_is_never_called_healthy() -> None:
    blocked = msgspec.structs.replace(told(), checks=CHECKS[-1:], diagnosis=Diagnosis())
    assert "not everything could be judged" in panel(blocked)["Root cause"]


def test_the_pipelines_page_is_led_to() -> None:
    found = conclude.executor("1", {"CI_JOB_URL": "https://ci.example/job/7"})
    assert found["buildUrl"] == "https://ci.example/job/7"
    assert "buildUrl" not in conclude.executor("1", {})


@pytest.mark.parametrize(
    ("observation", "begins"),
    [
        (HttpObservation(url="https://a.example/"), "curl "),
        (DnsObservation(name="a.example"), "getent ahosts a.example"),
        (TcpObservation(host="a.example", port=5432), "nc -vz"),
        (TlsObservation(host="a.example"), "openssl s_client -connect a.example:443"),
        (PostgresObservation(host="db", user="mlflow"), 'PGPASSWORD="$DB_PASSWORD" psql '),
        (VariablesObservation(), "env | cut"),
        (
            AwsObservation(service="ec2", operation="describe_security_groups"),
            "aws ec2 describe-security-groups",
        ),
        (
            AwsObservation(
                service="elbv2", operation="describe_target_health", response={"arn:t/1": []}
            ),
            "aws elbv2 describe-target-health --target-group-arn arn:t/1",
        ),
        (
            AwsObservation(
                service="ecs",
                operation="describe_services",
                response={
                    "services": [{"serviceArn": "a:service/c/api", "clusterArn": "a:cluster/c"}]
                },
            ),
            "aws ecs describe-services --cluster c --services api",
        ),
    ],
)
def test_each_kind_of_probe_has_a_command_to_paste(observation: Observation, begins: str) -> None:
    assert (exchange.command(observation) or "").startswith(begins)


def test_the_command_names_the_key_and_does_not_hold_it() -> None:
    sent = HttpObservation(url="https://a.example/", request_headers={"X-API-Key": "[redacted]"})
    command = exchange.command(sent) or ""
    assert '-H "X-API-Key: $HOKUSAI_API_KEY"' in command
