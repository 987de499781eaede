"""Service discovery: from the name that the API is given to the address of a running task."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from harness.aws import view
from harness.environment import Environment
from harness.expect import CannotJudge
from harness.finding import Finding, aws, require
from harness.observation import AwsObservation
from harness.plugin.declare import cause


def _split(host: str) -> tuple[str, str]:
    service, _, namespace = host.partition(".")
    return service, namespace


def _mlflow_host(environment: Environment) -> str:
    return view.host_of(environment.need("mlflow.url"))


def _in_namespace(environment: Environment, discovery: AwsObservation) -> list[view.Json]:
    wanted = _split(_mlflow_host(environment))
    found: list[view.Json] = discovery.response.get("Services", [])
    return [each for each in found if (each["Name"], each["Namespace"]) == wanted]


def _registering(environment: Environment, vpc: str) -> tuple[str, str, str]:
    """Return the commands that make namespace, service and registration, in this order."""
    names = view.names(environment)
    service, namespace = _split(_mlflow_host(environment))
    namespace_id = _found("list-namespaces", f"Namespaces[?Name=='{namespace}'].Id")
    arn = _found("list-services", f"Services[?Name=='{service}'].Arn")
    return (
        f"aws servicediscovery create-private-dns-namespace --name {namespace} --vpc {vpc}",
        f"aws servicediscovery create-service --name {service} --namespace-id {namespace_id} "
        "--dns-config 'RoutingPolicy=MULTIVALUE,DnsRecords=[{Type=A,TTL=10}]'",
        f"aws ecs update-service --cluster {names.cluster} "
        f"--service {names.services['mlflow'].service} "
        f"--service-registries registryArn={arn} --force-new-deployment",
    )


def _found(operation: str, query: str) -> str:
    return f'"$(aws servicediscovery {operation} --query "{query} | [-1]" --output text)"'


@pytest.fixture
def vpc(network_interfaces: AwsObservation) -> str:
    """The VPC that the tasks are in."""
    found = network_interfaces.response["NetworkInterfaces"]
    return str(found[0]["VpcId"]) if found else "<the tasks' VPC>"


@pytest.mark.p0
@cause
def test_cloud_map_has_the_namespace(
    environment: Environment, namespaces: AwsObservation, vpc: str
) -> None:
    """The private namespace that MLflow's internal name lies in exists."""
    _, wanted = _split(_mlflow_host(environment))
    private = [
        each["Name"] for each in namespaces.response["Namespaces"] if each["Type"] == "DNS_PRIVATE"
    ]
    require(
        wanted in private,
        Finding(
            what=f"Cloud Map has no private namespace {wanted}, so no name in it resolves",
            resource=f"Cloud Map namespace {wanted}",
            expected=wanted,
            observed=", ".join(sorted(private)) or "no private namespace",
            mend=_registering(environment, vpc),
        ),
    )


@pytest.mark.p0
@cause
def test_cloud_map_has_the_service(
    environment: Environment, discovery_services: AwsObservation, vpc: str
) -> None:
    """The service that MLflow's internal name begins with exists in its namespace."""
    service, namespace = _split(_mlflow_host(environment))
    found = [
        f"{each['Name']}.{each['Namespace']}" for each in discovery_services.response["Services"]
    ]
    require(
        bool(_in_namespace(environment, discovery_services)),
        Finding(
            what=f"Cloud Map has no service {service} in {namespace}",
            resource=f"Cloud Map service {service}.{namespace}",
            expected=f"{service}.{namespace}",
            observed=", ".join(sorted(found)) or "no service",
            mend=_registering(environment, vpc)[1:],
        ),
    )


@pytest.mark.p0
@cause
def test_the_mlflow_service_registers_with_cloud_map(
    environment: Environment,
    services: AwsObservation,
    discovery_services: AwsObservation,
    vpc: str,
) -> None:
    """The ECS service is tied to the Cloud Map service, so that its tasks get registered."""
    names = view.names(environment)
    service = view.service(services, names.services["mlflow"].service)
    registries = [entry["registryArn"] for entry in service.get("serviceRegistries", [])]
    wanted = [each["Arn"] for each in _in_namespace(environment, discovery_services)]
    registry = wanted[0] if wanted else "<the Cloud Map service's ARN>"
    require(
        bool(set(registries) & set(wanted)),
        Finding(
            what="the ECS service of MLflow does not register its tasks under the name in use",
            resource=f"ECS service {names.services['mlflow'].service}",
            expected=f"serviceRegistries with {registry}",
            observed=", ".join(registries) or "no serviceRegistries",
            mend=_registering(environment, vpc)[2:],
        ),
    )


class Register(NamedTuple):
    """What Cloud Map has of MLflow, and which tasks there were before and after it was asked.

    Tasks come and go meanwhile: one that runs before and after must be registered, and an address
    is of a task that is gone only if no task has it, neither before nor after. ``running`` has the
    ids of the tasks by address.
    """

    service_id: str
    instances: dict[str, str]
    running: dict[str, str]
    present: set[str]


def _task_id(task: view.Json) -> str:
    return str(task["taskArn"]).rpartition("/")[2]


@pytest.fixture
def register(
    environment: Environment,
    tasks: AwsObservation,
    discovery_services: AwsObservation,
    discovery_instances: AwsObservation,
    tasks_afterwards: AwsObservation,
) -> Register:
    """Cloud Map's instances of MLflow beside its tasks."""
    found = _in_namespace(environment, discovery_services)
    if not found:
        raise CannotJudge(f"Cloud Map has no service for {_mlflow_host(environment)}")
    service_id, name = found[0]["Id"], view.names(environment).services["mlflow"].service
    looks = (tasks, tasks_afterwards)
    running = [
        {view.address(t) or "": _task_id(t) for t in view.running_tasks(each, name)}
        for each in looks
    ]
    present = [{view.address(t) for t in view.tasks_not_stopped(each, name)} for each in looks]
    return Register(
        service_id=service_id,
        instances={
            each["Id"]: each["Attributes"].get("AWS_INSTANCE_IPV4", "")
            for each in discovery_instances.response.get(service_id, [])
        },
        running={at: id for at, id in running[0].items() if running[1].get(at) == id},
        present={address for each in present for address in each if address},
    )


@pytest.mark.p0
@cause
def test_cloud_map_knows_the_running_task_of_mlflow(register: Register) -> None:
    """Every running task of MLflow is registered under its name."""
    registered = set(register.instances.values())
    absent = sorted(set(register.running) - registered)
    first = absent[0] if absent else ""
    require(
        not absent,
        Finding(
            what="a running task of MLflow is not registered with Cloud Map",
            resource=f"Cloud Map service {register.service_id}",
            expected=", ".join(sorted(register.running)),
            observed=", ".join(sorted(registered)) or "no instance",
            mend=(
                aws(
                    "servicediscovery",
                    "register-instance",
                    service_id=register.service_id,
                    # As ECS calls it, so that ECS takes it out again when the task ends.
                    instance_id=register.running.get(first, ""),
                    attributes=f"AWS_INSTANCE_IPV4={first}",
                ),
            ),
        ),
    )


@pytest.mark.p0
@cause
def test_cloud_map_knows_no_task_that_is_gone(register: Register) -> None:
    """No address is registered behind which no task runs: clients would be sent to nobody."""
    stale = [id for id, address in register.instances.items() if address not in register.present]
    require(
        not stale,
        Finding(
            what="Cloud Map sends clients of MLflow to an address where no task of it runs",
            resource=f"Cloud Map service {register.service_id}",
            expected=", ".join(sorted(register.running)) or "no instance",
            observed=", ".join(sorted(register.instances.values())),
            mend=tuple(
                aws(
                    "servicediscovery",
                    "deregister-instance",
                    service_id=register.service_id,
                    instance_id=instance,
                )
                for instance in sorted(stale)
            ),
        ),
    )
