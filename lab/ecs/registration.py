"""A task's entries elsewhere: its instance in Cloud Map, its targets in the load balancers."""

from __future__ import annotations

from typing import Any

from lab.aws.backends import Backends
from lab.ecs.model import Service, Task


def register(backends: Backends, service: Service, task: Task) -> None:
    """Enter a task's address wherever its deployment says."""
    with backends.lock:
        for each in task.registries:
            found = _discovery_service(backends, each)
            if found is not None:
                backends.servicediscovery.register_instance(
                    found.id, task.id, task.id, _attributes(backends, service, task)
                )
        for each in task.targets:
            group = backends.elbv2.target_groups.get(each["targetGroupArn"])
            if group is not None:
                group.register([_target(task, each)])
                service.say(f"registered 1 targets in (target-group {group.arn})")


def deregister(backends: Backends, service: Service, task: Task) -> None:
    """Take a task's address out again, wherever it still is."""
    with backends.lock:
        for each in task.registries:
            found = _discovery_service(backends, each)
            if found is not None:
                found.instances[:] = [i for i in found.instances if i.instance_id != task.id]
        for each in task.targets:
            group = backends.elbv2.target_groups.get(each["targetGroupArn"])
            if group is not None and _target(task, each)["Id"] in group.targets:
                group.deregister([_target(task, each)])
                service.say(f"deregistered 1 targets in (target-group {group.arn})")


def _discovery_service(backends: Backends, registry: dict[str, Any]) -> Any:
    identifier = registry["registryArn"].rpartition("/")[2]
    return backends.servicediscovery.services.get(identifier)


def _attributes(backends: Backends, service: Service, task: Task) -> dict[str, str]:
    interface = task.interface
    assert interface is not None
    subnet = backends.ec2.get_subnet(interface.subnet)
    return {
        "AVAILABILITY_ZONE": subnet.availability_zone,
        "AWS_INIT_HEALTH_STATUS": "HEALTHY",
        "AWS_INSTANCE_IPV4": interface.address,
        "ECS_CLUSTER_NAME": service.cluster,
        "ECS_SERVICE_NAME": service.name,
        "ECS_TASK_DEFINITION_FAMILY": task.definition.rpartition("/")[2].partition(":")[0],
        "REGION": backends.region,
    }


def _target(task: Task, balancer: dict[str, Any]) -> dict[str, Any]:
    assert task.interface is not None
    return {"Id": task.interface.address, "Port": int(balancer["containerPort"])}
