"""MLflow itself, and where the API is told to find it."""

from __future__ import annotations

import fnmatch
from urllib.parse import urlsplit

import pytest

from harness.aws import view
from harness.environment import Environment
from harness.expect import CannotJudge
from harness.finding import Finding, require
from harness.observation import AwsObservation, DnsObservation, FailureKind, HttpObservation
from harness.plugin.declare import cause, probe
from harness.signatures import evidence
from harness.specs import DnsProbe, HttpProbe
from tests.acceptance.causes import revising
from tests.acceptance.conftest import SEARCH


@probe
def configured_search(environment: Environment) -> HttpProbe:
    """A search of experiments from the API's task, at the address that it is given."""
    return HttpProbe(
        vantage="task:api",
        url="${MLFLOW_SERVER_URL}" + SEARCH,
        deadline=environment.limits.deadline,
    )


@probe
def public_name(environment: Environment) -> DnsProbe:
    """The registry's public name, as the API's task resolves it: any name that always exists."""
    return DnsProbe(
        vantage="task:api",
        name=view.host_of(environment.registry.url),
        deadline=environment.limits.deadline,
    )


def _definition(environment: Environment) -> str:
    return f"task definition of {view.names(environment).services['api'].service}"


@pytest.mark.p0
@cause
def test_the_api_names_mlflow_by_its_internal_name(
    environment: Environment, api_variables: dict[str, str]
) -> None:
    """MLFLOW_SERVER_URL is MLflow's internal name: no fixed address, and not the public one."""
    wanted = environment.need("mlflow.url")
    observed = api_variables.get("MLFLOW_SERVER_URL", "")
    host = view.host_of(observed)
    if view.is_address(host):
        what = "the API is given a fixed address for MLflow, which goes stale with each deployment"
    elif host == view.host_of(environment.registry.url):
        what = "the API is given its own public address for MLflow: a loop"
    else:
        what = "the API is given another address for MLflow than its internal one"
    require(
        observed.rstrip("/") == wanted,
        Finding(
            what=what,
            resource=_definition(environment),
            expected=f"MLFLOW_SERVER_URL={wanted}",
            observed=f"MLFLOW_SERVER_URL={observed}" if observed else "MLFLOW_SERVER_URL not set",
            mend=revising.with_variable(environment, "api", "MLFLOW_SERVER_URL", wanted),
        ),
    )


@pytest.mark.p1
@cause
def test_health_and_proxy_look_at_the_same_mlflow(
    environment: Environment, api_variables: dict[str, str]
) -> None:
    """MLFLOW_TRACKING_URI, if it is set at all, is the address that the proxy uses."""
    proxy = api_variables.get("MLFLOW_SERVER_URL", "")
    health = api_variables.get("MLFLOW_TRACKING_URI", proxy)
    require(
        health == proxy,
        Finding(
            what="the API's health code looks at another MLflow than its proxy",
            resource=_definition(environment),
            expected=f"MLFLOW_TRACKING_URI={proxy}",
            observed=f"MLFLOW_TRACKING_URI={health}",
            mend=revising.with_variable(environment, "api", "MLFLOW_TRACKING_URI", proxy),
        ),
    )


@pytest.mark.p0
@cause
def test_mlflow_accepts_the_host_name(
    environment: Environment,
    mlflow_variables: dict[str, str],
    configured_search: HttpObservation,
) -> None:
    """MLflow does not refuse requests for the Host header that the API sends."""
    host = urlsplit(environment.need("mlflow.url")).netloc
    allowed = mlflow_variables.get("MLFLOW_SERVER_ALLOWED_HOSTS")
    left_out = allowed is not None and not _allows(allowed, host)
    refused = configured_search.status == 403 and "Invalid Host header" in configured_search.body
    require(
        not (refused or left_out),
        Finding(
            what="MLflow refuses the Host header that the API sends",
            resource=f"task definition of {view.names(environment).services['mlflow'].service}",
            expected=f"MLFLOW_SERVER_ALLOWED_HOSTS with {host}",
            observed=evidence(configured_search)
            if refused
            else f"MLFLOW_SERVER_ALLOWED_HOSTS={allowed}",
            mend=revising.with_variable(
                environment,
                "mlflow",
                "MLFLOW_SERVER_ALLOWED_HOSTS",
                f"{host},*:{_port(environment)}",
            ),
        ),
    )


def _allows(hosts: str, host: str) -> bool:
    """MLflow matches patterns, and wants the port spelled."""
    return any(fnmatch.fnmatchcase(host, each.strip()) for each in hosts.split(","))


@pytest.mark.p0
@cause
def test_mlflow_answers_from_its_database(
    environment: Environment, configured_search: HttpObservation
) -> None:
    """MLflow reads its own store: its /health says OK even when it cannot."""
    slow = configured_search.failure and configured_search.failure.kind == FailureKind.READ_TIMEOUT
    if not slow and (configured_search.status is None or configured_search.status == 403):
        raise CannotJudge(evidence(configured_search))
    require(
        configured_search.status == 200,
        Finding(
            what="MLflow runs, but does not answer from its database",
            resource=f"ECS service {view.names(environment).services['mlflow'].service}",
            expected="HTTP 200 from experiments/search",
            observed=evidence(configured_search),
            mend=(revising.deployed(environment, "mlflow"),),
        ),
    )


@pytest.mark.p0
@cause
def test_mlflow_is_given_its_database_user(
    environment: Environment, mlflow_variables: dict[str, str]
) -> None:
    """MLflow's own database user is configured, where it is configured by DB_USER."""
    if "DB_HOST" not in mlflow_variables:
        raise CannotJudge("MLflow's task definition does not configure its database by DB_*")
    wanted, observed = environment.database.user, mlflow_variables.get("DB_USER", "")
    require(
        observed == wanted,
        Finding(
            what="MLflow is not given its database user",
            resource=f"task definition of {view.names(environment).services['mlflow'].service}",
            expected=f"DB_USER={wanted}",
            observed=f"DB_USER={observed}" if observed else "DB_USER not set",
            mend=revising.with_variable(environment, "mlflow", "DB_USER", wanted),
        ),
    )


@pytest.mark.p0
@cause
def test_mlflow_is_given_the_databases_address(
    environment: Environment, database: AwsObservation, mlflow_variables: dict[str, str]
) -> None:
    """MLflow's own DB_HOST and DB_PORT are those of the RDS instance."""
    if "DB_HOST" not in mlflow_variables or not database.response.get("DBInstances"):
        raise CannotJudge("MLflow's task definition has no DB_HOST, or there is no instance")
    endpoint = database.response["DBInstances"][0]["Endpoint"]
    wanted = {"DB_HOST": endpoint["Address"], "DB_PORT": str(endpoint["Port"])}
    observed = {"DB_PORT": "5432", **mlflow_variables}
    wrong = [name for name, value in wanted.items() if observed[name] != value]
    first = wrong[0] if wrong else "DB_HOST"
    require(
        not wrong,
        Finding(
            what="MLflow is given another database address than the instance has",
            resource=f"task definition of {view.names(environment).services['mlflow'].service}",
            expected=f"{first}={wanted[first]}",
            observed=f"{first}={observed[first]}",
            mend=revising.with_variable(environment, "mlflow", first, wanted[first]),
        ),
    )


@pytest.mark.p0
@cause
def test_the_resolver_inside_the_network_answers(
    environment: Environment, public_name: DnsObservation
) -> None:
    """The API's task has a resolver that answers at all."""
    silent = (FailureKind.DNS_TIMEOUT, FailureKind.DNS_SERVFAIL)
    failure = public_name.failure
    require(
        failure is None or failure.kind not in silent,
        Finding(
            what="the resolver of the API's task does not answer",
            resource=f"resolver {public_name.resolver}",
            expected="an answer for any name",
            observed=str(failure),
            mend=(_with_dns(environment),) if environment.aws else (),
        ),
    )


def _with_dns(environment: Environment) -> str:
    """Return the command that gives the VPC of the API's tasks its resolver back."""
    names = view.names(environment)
    subnet = (
        f"aws ecs describe-services --cluster {names.cluster} "
        f"--services {names.services['api'].service} --output text "
        "--query 'services[0].networkConfiguration.awsvpcConfiguration.subnets[0]'"
    )
    vpc = (
        f'aws ec2 describe-subnets --subnet-ids "$({subnet})" '
        "--query 'Subnets[0].VpcId' --output text"
    )
    return f'aws ec2 modify-vpc-attribute --enable-dns-support --vpc-id "$({vpc})"'


def _port(environment: Environment) -> int:
    return view.names(environment).services["mlflow"].port
