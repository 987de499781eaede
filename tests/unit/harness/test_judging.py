"""Signatures and verdicts are pure: they are tested on observations, without any network."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import catalogue, signatures
from harness.catalogue import Catalogue
from harness.observation import (
    ContractCase,
    ContractObservation,
    Failure,
    FailureKind,
    HttpObservation,
    Observation,
    PostgresObservation,
)
from harness.verdicts import CheckResult, Judgement, Status, Verdict, judge

ROOT = Path(__file__).parents[3]
DETAIL = '{"detail":"Failed to connect to MLflow server at http://mlflow.hokusai.local:5000"}'


@pytest.fixture(scope="module")
def failures() -> Catalogue:
    return catalogue.load(ROOT / "failures")


def failing(kind: FailureKind, message: str = "") -> Failure:
    return Failure(kind=kind, message=message)


@pytest.mark.parametrize(
    ("failure", "signature", "observation"),
    [
        ("registry-api-outage", "proxy-502", HttpObservation(status=502, body=DETAIL)),
        (
            "registry-api-outage",
            "valid-key-401",
            HttpObservation(status=401, body='{"detail":"API key required"}'),
        ),
        (
            "database-connectivity",
            "login-as-postgres",
            PostgresObservation(
                message='FATAL:  password authentication failed for user "postgres"'
            ),
        ),
        (
            "database-connectivity",
            "login-as-postgres",
            HttpObservation(
                status=503, body=r'{"error":"password authentication failed for user \"postgres\""}'
            ),
        ),
        (
            "mlflow-internal-connectivity",
            "refused-or-timeout",
            HttpObservation(failure=failing(FailureKind.CONNECT_TIMEOUT)),
        ),
        (
            "health-endpoints",
            "unhealthy-while-serving",
            HttpObservation(status=200, body='{"status":"unhealthy","services":{}}'),
        ),
        (
            "circuit-breaker",
            "test_edge_case_zero_timeout",
            ContractObservation(
                cases=(ContractCase(id="test_edge_case_zero_timeout", passed=False),)
            ),
        ),
        (
            "ssl-tls",
            "verify-error-on-redirect",
            HttpObservation(failure=failing(FailureKind.TLS_VERIFY)),
        ),
    ],
)
def test_a_documented_symptom_is_recognised(
    failures: Catalogue, failure: str, signature: str, observation: Observation
) -> None:
    assert signatures.shows(failures[failure].signature(signature), observation)


@pytest.mark.parametrize(
    ("failure", "signature", "observation"),
    [
        # The load balancer's own 502, and a proxy that names another address, are other failures.
        (
            "registry-api-outage",
            "proxy-502",
            HttpObservation(status=502, body="<h1>502 Bad Gateway"),
        ),
        (
            "registry-api-outage",
            "proxy-502",
            HttpObservation(status=502, body=DETAIL.replace("mlflow.hokusai.local", "10.0.0.7")),
        ),
        (
            "registry-api-outage",
            "valid-key-401",
            HttpObservation(status=401, body='{"detail":"Invalid or expired API key"}'),
        ),
        (
            "database-connectivity",
            "login-as-postgres",
            PostgresObservation(message='password authentication failed for user "mlflow"'),
        ),
        (
            "health-endpoints",
            "unhealthy-while-serving",
            HttpObservation(status=200, body='{"status":"degraded","services":{}}'),
        ),
    ],
)
def test_a_similar_symptom_is_not_taken_for_the_documented_one(
    failures: Catalogue, failure: str, signature: str, observation: Observation
) -> None:
    assert not signatures.shows(failures[failure].signature(signature), observation)


def check(status: Status, *, sighted: bool = False, message: str = "") -> CheckResult:
    sighting = signatures.Sighting(
        signature="proxy-502", documented="text", probe="p", evidence="HTTP 502"
    )
    return CheckResult(
        id=f"{status}-{sighted}",
        role="symptom",
        status=status,
        severity="p0",
        failures=("registry-api-outage",),
        message=message,
        sightings={"registry-api-outage": (sighting,) if sighted else ()},
    )


def verdict(failures: Catalogue, *results: CheckResult) -> Judgement:
    (judgement,) = judge(failures, results)
    return judgement


def test_fixed_only_if_every_check_passed(failures: Catalogue) -> None:
    assert verdict(failures, check(Status.PASSED)).verdict is Verdict.FIXED
    mixed = verdict(failures, check(Status.PASSED), check(Status.BLOCKED, message="no way in"))
    assert mixed.verdict is Verdict.BLOCKED
    assert "no way in" in mixed.because


def test_fixed_says_so_if_not_every_check_ran(failures: Catalogue) -> None:
    (partly,) = judge(failures, [check(Status.PASSED)], {"registry-api-outage": 3})
    assert partly.verdict is Verdict.FIXED
    assert partly.because == "the symptom checks that ran passed; 3 did not run"
    (other,) = judge(failures, [check(Status.PASSED)], {"ssl-tls": 3})
    assert other.because == "every symptom check passed"


def test_reproduced_needs_the_documented_signature(failures: Catalogue) -> None:
    seen = verdict(failures, check(Status.FAILED, sighted=True), check(Status.PASSED))
    assert seen.verdict is Verdict.REPRODUCED
    assert seen.sightings[0].signature == "proxy-502"
    assert verdict(failures, check(Status.FAILED)).verdict is Verdict.CHANGED


def test_a_check_that_broke_by_its_own_mistake_judges_nothing(failures: Catalogue) -> None:
    assert verdict(failures, check(Status.BROKEN)).verdict is Verdict.BLOCKED


def test_failures_without_a_selected_check_have_no_verdict(failures: Catalogue) -> None:
    assert judge(failures, []) == []
