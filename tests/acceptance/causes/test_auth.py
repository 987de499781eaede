"""The auth service: reachable, and of one mind with the API about keys."""

from __future__ import annotations

import json

import pytest

from harness import expect
from harness.aws import view
from harness.environment import Environment
from harness.expect import CannotJudge
from harness.finding import Finding, aws, require
from harness.observation import FailureKind, HttpObservation
from harness.plugin.declare import cause, probe
from harness.signatures import evidence
from harness.specs import HttpProbe
from tests.acceptance.causes import revising


@probe
def auth_health(environment: Environment) -> HttpProbe:
    """The auth service's health at its public address."""
    return HttpProbe(
        url=environment.need("auth.url") + "/health", deadline=environment.limits.deadline
    )


@probe
def auth_health_inside(environment: Environment) -> HttpProbe:
    """The auth service's health at the address that the API's task is given."""
    return HttpProbe(
        vantage="task:api",
        url="${AUTH_SERVICE_URL}/health",
        deadline=environment.limits.deadline,
    )


@probe
def validation(environment: Environment) -> HttpProbe:
    """A validation of the key as the API asks for it: key in the header, service id in the body."""
    body = {"service_id": environment.need("auth.service_id"), "client_ip": "127.0.0.1"}
    return HttpProbe(
        url=environment.need("auth.url") + "/api/v1/keys/validate",
        method="POST",
        headers=(("Content-Type", "application/json"),),
        body=json.dumps(body),
        api_key="bearer",
        deadline=environment.limits.deadline,
    )


@pytest.mark.p1
@cause
def test_the_auth_service_answers(environment: Environment, auth_health: HttpObservation) -> None:
    """The auth service is up at its public address."""
    require(
        auth_health.status == 200,
        Finding(
            what="the auth service does not answer at its public address",
            resource=environment.need("auth.url"),
            expected="HTTP 200 from /health",
            observed=evidence(auth_health),
            mend=(revising.deployed(environment, "auth"),) if environment.aws else (),
        ),
    )


@pytest.mark.p1
@cause
def test_the_auth_service_answers_the_api(auth_health_inside: HttpObservation) -> None:
    """The API's task reaches the auth service at the address that it is given."""
    require(
        auth_health_inside.status == 200,
        Finding(
            what="the API's task gets no answer from the auth service",
            resource=f"AUTH_SERVICE_URL of the API's task: {auth_health_inside.url}",
            expected="HTTP 200 from /health",
            observed=evidence(auth_health_inside),
            mend=(aws("elbv2", "describe-load-balancers", output="table"),),
        ),
    )


@pytest.mark.p1
@cause
def test_the_auth_service_reads_the_key_from_the_header(
    environment: Environment, validation: HttpObservation
) -> None:
    """A key in the Authorization header is seen: a build that wants it in the body asks for one."""
    asked = validation.status in (400, 401, 422) and "API key required" in validation.body
    require(
        not asked,
        Finding(
            what="the auth service does not read the key from where the API puts it",
            resource=f"{environment.need('auth.url')}/api/v1/keys/validate",
            expected="the key read from the Authorization header",
            observed=evidence(validation),
            mend=(revising.deployed(environment, "auth"),),
        ),
    )


@pytest.mark.p1
@cause
def test_the_auth_service_knows_the_key_for_this_service(
    environment: Environment, validation: HttpObservation
) -> None:
    """The key is valid for the service id that the API validates it for."""
    expect.answered(validation)
    if validation.status not in (200, 401) or "API key required" in validation.body:
        raise CannotJudge(evidence(validation))
    service_id = environment.need("auth.service_id")
    require(
        validation.status == 200,
        Finding(
            what=f"the auth service refuses the key for the service id {service_id}",
            resource=f"{environment.need('auth.url')}/api/v1/keys/validate",
            expected="HTTP 200",
            observed=evidence(validation),
            mend=revising.with_variable(environment, "auth", "SERVICE_IDS", service_id),
        ),
    )


@pytest.mark.p1
@cause
def test_the_auth_service_does_not_throttle(
    environment: Environment, validation: HttpObservation
) -> None:
    """Keys are not refused because too many were asked for."""
    require(
        validation.status != 429,
        Finding(
            what="the auth service throttles validations",
            resource=f"{environment.need('auth.url')}/api/v1/keys/validate",
            expected="no HTTP 429",
            observed=evidence(validation),
            mend=revising.revised(
                environment,
                "auth",
                '.environment = [.environment[]? | select(.name != "RATE_LIMIT_PER_HOUR")]',
            ),
        ),
    )


@pytest.mark.p1
@cause
def test_the_api_validates_keys_for_its_own_service_id(
    environment: Environment, api_variables: dict[str, str]
) -> None:
    """The API's service id is the one that keys are issued for."""
    wanted = environment.need("auth.service_id")
    observed = api_variables.get("SERVICE_ID", wanted)
    require(
        observed == wanted,
        Finding(
            what="the API validates keys for another service id than they are issued for",
            resource=f"task definition of {view.names(environment).services['api'].service}",
            expected=f"SERVICE_ID={wanted}",
            observed=f"SERVICE_ID={observed}",
            mend=revising.with_variable(environment, "api", "SERVICE_ID", wanted),
        ),
    )


@pytest.mark.p1
@cause
def test_the_api_names_the_auth_service(
    environment: Environment,
    api_variables: dict[str, str],
    auth_health_inside: HttpObservation,
) -> None:
    """The API is given a name of the auth service, and one that exists."""
    observed = api_variables.get("AUTH_SERVICE_URL", "")
    host, failure = view.host_of(observed), auth_health_inside.failure
    unknown = failure is not None and failure.kind == FailureKind.DNS_NXDOMAIN
    require(
        bool(host) and not view.is_address(host) and not unknown,
        Finding(
            what="the API is not given a name of the auth service",
            resource=f"task definition of {view.names(environment).services['api'].service}",
            expected="AUTH_SERVICE_URL with a host name that exists",
            observed=(f"AUTH_SERVICE_URL={observed}" if observed else "AUTH_SERVICE_URL not set")
            + (", a name that does not exist" if unknown else ""),
            mend=revising.with_variable(
                environment, "api", "AUTH_SERVICE_URL", environment.need("auth.url")
            ),
        ),
    )
