"""MLflow as the API's task reaches it, inside the network."""

from __future__ import annotations

import pytest

from harness import expect
from harness.environment import Environment
from harness.observation import HttpObservation
from harness.plugin.declare import probe, symptom
from harness.specs import HttpProbe
from tests.acceptance.conftest import SEARCH

FAILURE = "mlflow-internal-connectivity"
SIGNATURES = ("name-not-resolving", "refused-or-timeout")


def _from_the_api(environment: Environment, url: str) -> HttpProbe:
    return HttpProbe(vantage="task:api", url=url, deadline=environment.limits.deadline)


@probe
def mlflow_health(environment: Environment) -> HttpProbe:
    """MLflow's health at the address that the documents name."""
    return _from_the_api(environment, environment.need("mlflow.url") + "/health")


@probe
def configured_mlflow_health(environment: Environment) -> HttpProbe:
    """MLflow's health at the address that the API's proxy is configured with."""
    return _from_the_api(environment, "${MLFLOW_SERVER_URL}/health")


@probe
def experiments(environment: Environment) -> HttpProbe:
    """A search of experiments at MLflow itself, which asks its database."""
    return _from_the_api(environment, environment.need("mlflow.url") + SEARCH)


@pytest.mark.p0
@symptom(FAILURE, *SIGNATURES)
def test_mlflow_answers_inside_the_network(mlflow_health: HttpObservation) -> None:
    """The API's task gets an answer from MLflow under its documented internal name."""
    expect.status(mlflow_health, 200)


@pytest.mark.p0
@symptom(FAILURE, *SIGNATURES)
def test_mlflow_answers_where_the_api_looks_for_it(
    configured_mlflow_health: HttpObservation,
) -> None:
    """The API's task gets an answer from MLflow at the address in its own MLFLOW_SERVER_URL."""
    expect.status(configured_mlflow_health, 200)


@pytest.mark.p0
@symptom(FAILURE, *SIGNATURES)
def test_mlflow_lists_experiments_inside_the_network(experiments: HttpObservation) -> None:
    """MLflow answers from its database: its own /health says OK even without one."""
    assert "experiments" in expect.json_body(expect.status(experiments, 200))
