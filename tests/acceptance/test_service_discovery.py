"""Names inside the network, as the API's task resolves them."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from harness import expect
from harness.environment import Environment
from harness.observation import DnsObservation, TcpObservation
from harness.plugin.declare import probe, symptom
from harness.signatures import evidence
from harness.specs import DnsProbe, TcpProbe

FAILURE = "service-discovery"


@probe
def mlflow_name(environment: Environment) -> DnsProbe:
    """MLflow's documented internal name."""
    host = urlsplit(environment.need("mlflow.url")).hostname or ""
    return DnsProbe(vantage="task:api", name=host, deadline=environment.limits.deadline)


@probe
def mlflow_port(environment: Environment) -> TcpProbe:
    """MLflow's port at its documented internal name."""
    parts = urlsplit(environment.need("mlflow.url"))
    return TcpProbe(
        vantage="task:api",
        host=parts.hostname or "",
        port=str(parts.port or 80),
        deadline=environment.limits.deadline,
    )


@pytest.mark.p0
@symptom(FAILURE, "name-not-resolving")
def test_the_internal_name_of_mlflow_resolves(mlflow_name: DnsObservation) -> None:
    """Inside the network, MLflow's name leads to an address."""
    assert expect.answered(mlflow_name).answers, f"no address: {evidence(mlflow_name)}"


@pytest.mark.p0
@symptom("mlflow-internal-connectivity", "name-not-resolving", "refused-or-timeout")
def test_the_internal_name_of_mlflow_leads_to_an_open_port(mlflow_port: TcpObservation) -> None:
    """What the name leads to accepts connections: it is not the address of a task long gone."""
    expect.answered(mlflow_port)
