"""The circuit breaker: its class against its contract, and what it does from outside."""

from __future__ import annotations

import pytest

from harness import expect
from harness.environment import Environment
from harness.observation import ContractObservation, HttpObservation
from harness.plugin.declare import probe, symptom
from harness.signatures import evidence
from harness.specs import ContractProbe, HttpProbe
from tests.acceptance.conftest import with_key

FAILURE = "circuit-breaker"
DOCUMENTED = (
    "test_max_recovery_attempts",
    "test_edge_case_zero_threshold",
    "test_edge_case_zero_timeout",
    "test_environment_configuration",
)
ORDINARY = ("opens-at-its-threshold", "closes-after-success", "reset-closes", "reports-its-state")
# The proxy gives MLflow 30 s; an open breaker must not.
FAIL_FAST_S = 3.0


@probe
def contract(environment: Environment) -> ContractProbe:
    """The deployed circuit breaker class, held to the contract of circuit breakers."""
    return ContractProbe(
        contract="circuit_breaker",
        setting="circuit_breaker.source",
        target=environment.circuit_breaker.target,
        deadline=20.0,
    )


@probe
def breaker_status(environment: Environment) -> HttpProbe:
    """The state that the registry's breaker is in."""
    return HttpProbe(
        url=f"{environment.registry.url}/health/mlflow", deadline=environment.limits.deadline
    )


@probe
def mlflow_report(environment: Environment) -> HttpProbe:
    """The registry's own report on MLflow."""
    return with_key(environment, "/api/health/mlflow")


@pytest.mark.p2
@pytest.mark.parametrize("case", DOCUMENTED)
@symptom(FAILURE, *DOCUMENTED)
def test_the_breaker_keeps_its_documented_edge_case(
    contract: ContractObservation, case: str
) -> None:
    """The edge case that failed on 2025-08-06 holds for the deployed class."""
    found = {each.id: each for each in expect.answered(contract).cases}[case]
    assert found.passed, f"{case}: {found.message}"


@pytest.mark.p2
@pytest.mark.parametrize("case", ORDINARY)
@symptom(FAILURE)
def test_the_breaker_does_its_ordinary_work(contract: ContractObservation, case: str) -> None:
    """The breaker opens, closes again and tells its state."""
    found = {each.id: each for each in expect.answered(contract).cases}[case]
    assert found.passed, f"{case}: {found.message}"


@pytest.mark.p2
@symptom(FAILURE)
def test_the_breaker_agrees_with_the_mlflow_proxy(
    breaker_status: HttpObservation, proxied_search: HttpObservation
) -> None:
    """The breaker lets calls through if MLflow works, and counts its failures if it does not."""
    works = expect.past_authentication(proxied_search).status == 200
    told = expect.json_body(expect.status(breaker_status, 200))
    at_rest = told["state"] == "CLOSED" and not told.get("failure_count")
    stopped = told["state"] == "OPEN" and told.get("time_until_retry", 1) > 0
    assert not (stopped if works else at_rest), f"it works: {works}; {evidence(breaker_status)}"


@pytest.mark.p2
@symptom(FAILURE)
def test_a_broken_mlflow_is_reported_without_waiting(
    mlflow_report: HttpObservation,
) -> None:
    """The registry's report on MLflow comes at once, however broken MLflow is."""
    report = expect.status(expect.past_authentication(mlflow_report), 200, 503)
    took = report.timings["total"] / 1000
    assert report.status == 200 or took < FAIL_FAST_S, f"took {took:.1f} s: {evidence(report)}"
