"""The sections of the AWS control plane that cause checks judge."""

from __future__ import annotations

from typing import Any

import pytest

from harness.aws import view
from harness.environment import Environment
from harness.expect import CannotJudge
from harness.observation import AwsObservation
from harness.plugin.declare import probe
from harness.specs import AwsProbe


def _section(name: str, *, must_answer: bool = True) -> Any:
    def declared(environment: Environment) -> AwsProbe:
        return AwsProbe(section=name, deadline=environment.limits.deadline)

    declared.__name__ = name.replace("-", "_")
    declared.__doc__ = f"The control plane's {name.replace('-', ' ')}."
    return probe(declared, must_answer=must_answer)


services = _section("services")
tasks = _section("tasks")
tasks_afterwards = _section("tasks-afterwards")
deployments = _section("deployments")
task_definitions = _section("task-definitions")
namespaces = _section("namespaces")
discovery_services = _section("discovery-services")
discovery_instances = _section("discovery-instances")
network_interfaces = _section("network-interfaces")
security_groups = _section("security-groups")
network_acls = _section("network-acls")
database = _section("database", must_answer=False)
secret = _section("secret", must_answer=False)
target_groups = _section("target-groups")
target_health = _section("target-health")
load_balancers = _section("load-balancers")
all_load_balancers = _section("all-load-balancers")
route_tables = _section("route-tables")
listeners = _section("listeners")
rules = _section("rules")
certificates = _section("certificates")


def _primary(services: AwsObservation, name: str) -> view.Json:
    service = view.service(services, name)
    if not service:
        raise CannotJudge(f"there is no ECS service {name}")
    return service


@pytest.fixture
def api_service(environment: Environment, services: AwsObservation) -> view.Json:
    """The API's ECS service."""
    return _primary(services, view.names(environment).services["api"].service)


@pytest.fixture
def api_definition(api_service: view.Json, task_definitions: AwsObservation) -> view.Json:
    """The task definition that the API is deployed with."""
    return view.definition(task_definitions, api_service["taskDefinition"])


@pytest.fixture
def api_container(environment: Environment, api_definition: view.Json) -> view.Json:
    """The API's container in that task definition."""
    return view.container(api_definition, view.names(environment).services["api"].container)


@pytest.fixture
def api_variables(api_container: view.Json) -> dict[str, str]:
    """The plain variables that the API's container is given."""
    return view.variables(api_container)


@pytest.fixture
def mlflow_variables(
    environment: Environment, services: AwsObservation, task_definitions: AwsObservation
) -> dict[str, str]:
    """The plain variables that MLflow's container is given."""
    names = view.names(environment).services["mlflow"]
    service = _primary(services, names.service)
    definition = view.definition(task_definitions, service["taskDefinition"])
    return view.variables(view.container(definition, names.container))
