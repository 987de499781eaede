"""Faults of names and addresses inside the network."""

from __future__ import annotations

from typing import Any

from lab import names
from lab.faults.fault import declare
from lab.platform import Platform
from lab.provision.discovery import create_discovery, create_service, delete_discovery
from lab.provision.tasks import registries

_FOUND_AS = {names.MLFLOW: "mlflow", names.API: "api"}
_STALE = "gone"


def _move(platform: Platform, source: str, target: str) -> None:
    """Create the namespace anew under another name, and let the services register there."""
    create_discovery(platform, target)
    for service, name in _FOUND_AS.items():
        _register(platform, service, registries(platform, name, target))
    delete_discovery(platform, source)


def _register(platform: Platform, service: str, wanted: list[Any]) -> None:
    platform.aws.ecs.update_service(
        cluster=names.CLUSTER, service=service, serviceRegistries=wanted
    )


def _service_id(platform: Platform) -> str:
    return str(platform.discovery_service(names.NAMESPACE, "mlflow")["Id"])


def _instances(platform: Platform) -> dict[str, str]:
    found = platform.aws.servicediscovery.list_instances(ServiceId=_service_id(platform))
    return {
        each["Id"]: each["Attributes"].get("AWS_INSTANCE_IPV4", "") for each in found["Instances"]
    }


def _deregister(platform: Platform) -> None:
    for identifier in _instances(platform):
        platform.aws.servicediscovery.deregister_instance(
            ServiceId=_service_id(platform), InstanceId=identifier
        )


def _register_tasks(platform: Platform) -> None:
    """What ECS does when a task starts: register the running tasks' addresses."""
    platform.aws.servicediscovery.get_service(Id=_service_id(platform))
    _forget_stale(platform)
    for task, address in platform.task_addresses(names.MLFLOW).items():
        platform.aws.servicediscovery.register_instance(
            ServiceId=_service_id(platform),
            InstanceId=task,
            Attributes={"AWS_INSTANCE_IPV4": address},
        )


def _register_stale(platform: Platform) -> None:
    platform.aws.servicediscovery.register_instance(
        ServiceId=_service_id(platform),
        InstanceId=_STALE,
        Attributes={"AWS_INSTANCE_IPV4": f"127.{platform.network.number}.31.251"},
    )


def _forget_stale(platform: Platform) -> None:
    if _STALE in _instances(platform):
        platform.aws.servicediscovery.deregister_instance(
            ServiceId=_service_id(platform), InstanceId=_STALE
        )


def _only_stale(platform: Platform) -> None:
    _deregister(platform)
    _register_stale(platform)


def _delete_service(platform: Platform) -> None:
    _deregister(platform)
    platform.aws.servicediscovery.delete_service(Id=_service_id(platform))


def _create_service(platform: Platform) -> None:
    create_service(platform, platform.namespace(names.NAMESPACE), "mlflow")
    _register(platform, names.MLFLOW, registries(platform, "mlflow"))


declare(
    "namespace-of-the-infrastructure-code",
    f"The Cloud Map namespace is {names.NAMESPACE_OF_THE_INFRASTRUCTURE_CODE}, "
    f"while the task definitions name {names.NAMESPACE}",
    changes="cloud map",
    deploys=("api", "mlflow"),
    apply=lambda platform: _move(
        platform, names.NAMESPACE, names.NAMESPACE_OF_THE_INFRASTRUCTURE_CODE
    ),
    heal=lambda platform: _move(
        platform, names.NAMESPACE_OF_THE_INFRASTRUCTURE_CODE, names.NAMESPACE
    ),
)
declare(
    "cloud-map-service-deleted",
    "The Cloud Map service of MLflow was deleted",
    changes="cloud map",
    apply=_delete_service,
    heal=_create_service,
)
declare(
    "mlflow-without-service-registries",
    "The ECS service of MLflow was created anew without serviceRegistries, so no task registers",
    changes="cloud map",
    deploys=("mlflow",),
    apply=lambda platform: _register(platform, names.MLFLOW, []),
    heal=lambda platform: _register(platform, names.MLFLOW, registries(platform, "mlflow")),
)
declare(
    "mlflow-instance-deregistered",
    "The running task of MLflow was taken out of Cloud Map",
    changes="cloud map",
    apply=_deregister,
    heal=_register_tasks,
)
declare(
    "stale-instance-beside-the-task",
    "Cloud Map still has the address of an MLflow task that is gone, beside the running one's",
    changes="cloud map",
    apply=_register_stale,
    heal=_forget_stale,
)
declare(
    "stale-instance-instead-of-the-task",
    "Cloud Map has the address of an MLflow task that is gone, and not the running one's",
    changes="cloud map",
    apply=_only_stale,
    heal=_register_tasks,
)
