"""The registry API at its public address."""

from __future__ import annotations

import pytest

from harness import expect
from harness.environment import Environment
from harness.observation import HttpObservation
from harness.plugin.declare import probe, symptom
from harness.specs import HttpProbe
from tests.acceptance.conftest import with_key

FAILURE = "registry-api-outage"


@probe
def api_health(environment: Environment) -> HttpProbe:
    """The address that the incident was reported with, with a valid key."""
    return with_key(environment, "/api/health", "x-api-key")


@pytest.mark.p0
@symptom(FAILURE)
def test_the_registry_serves_requests(api_description: HttpObservation) -> None:
    """The registry answers a request that needs no key and no dependency.

    If this fails, the registry or its load balancer is down, not something behind it.
    """
    expect.status(api_description, 200)


@pytest.mark.p0
@symptom(FAILURE, "valid-key-401")
def test_api_health_does_not_ask_for_a_key_that_was_given(api_health: HttpObservation) -> None:
    """A request to /api/health with a valid key gets past authentication.

    Whether the build serves this path is another matter: 404 from the API is past it.
    """
    expect.not_status(api_health, 401, 403, 500, 502, 503, 504)


@pytest.mark.p0
@symptom(FAILURE, "proxy-502", "valid-key-401")
def test_the_mlflow_proxy_reaches_mlflow(proxied_search: HttpObservation) -> None:
    """A user lists experiments through the registry: everything that users do goes this way."""
    answer = expect.past_authentication(proxied_search)
    expect.status(answer, 200)
    assert "experiments" in expect.json_body(answer)
