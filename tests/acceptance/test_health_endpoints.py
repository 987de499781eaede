"""What the registry tells of its own health, against what the suite itself sees."""

from __future__ import annotations

import pytest

from harness import expect
from harness.environment import Environment
from harness.observation import HttpObservation
from harness.plugin.declare import probe, symptom
from harness.signatures import evidence
from harness.specs import HttpProbe

FAILURE = "health-endpoints"
SIGNATURES = ("unhealthy-while-serving", "dependency-checks-failing")


@probe
def detailed_health(environment: Environment) -> HttpProbe:
    """The registry's health with details of its dependencies."""
    return HttpProbe(
        url=f"{environment.registry.url}/health?detailed=true",
        deadline=environment.limits.deadline,
    )


@pytest.mark.p1
@symptom(FAILURE, *SIGNATURES)
def test_health_does_not_hang(health: HttpObservation) -> None:
    """/health answers in time, whatever state its dependencies are in.

    A load balancer takes a service whose health hangs out of rotation.
    """
    expect.status(health, 200)


@pytest.mark.p1
@symptom(FAILURE, *SIGNATURES)
def test_a_serving_registry_does_not_call_itself_unhealthy(
    health: HttpObservation, api_description: HttpObservation
) -> None:
    """A registry that serves requests is healthy or degraded, never unhealthy."""
    expect.status(api_description, 200)
    said = expect.json_body(health).get("status")
    assert said in ("healthy", "degraded"), f"it serves, but says {said}: {evidence(health)}"


@pytest.mark.p2
@symptom(FAILURE)
def test_health_agrees_with_the_mlflow_proxy(
    health: HttpObservation, proxied_search: HttpObservation
) -> None:
    """/health calls MLflow healthy if, and only if, the registry's own proxy reaches it."""
    works = expect.past_authentication(proxied_search).status == 200
    said = expect.json_body(health).get("services", {}).get("mlflow")
    assert (said == "healthy") == works, f"the proxy works: {works}; {evidence(health)}"


@pytest.mark.p2
@symptom(FAILURE)
def test_detailed_health_answers(detailed_health: HttpObservation) -> None:
    """/health?detailed=true tells details instead of failing."""
    expect.json_body(expect.status(detailed_health, 200, 503))
