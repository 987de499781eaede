"""Services, deployments and tasks as the ECS API shows them. Times are epoch seconds."""

from __future__ import annotations

import hashlib
from typing import Any

from lab.ecs.model import Deployment, Service, Task

PLATFORM_FAMILY = "Linux"
_STATUS_OF_DEPLOYMENT = {
    "IN_PROGRESS": "IN_PROGRESS",
    "COMPLETED": "SUCCESSFUL",
    "FAILED": "ROLLBACK_SUCCESSFUL",
}


def service(item: Service) -> dict[str, Any]:
    """What DescribeServices shows."""
    settings, options = item.primary.settings, item.options
    running, pending = _counts(item.tasks)
    return {
        "serviceArn": item.arn,
        "serviceName": item.name,
        "clusterArn": item.cluster_arn,
        "status": item.status,
        "desiredCount": item.desired,
        "runningCount": running,
        "pendingCount": pending,
        "launchType": "FARGATE",
        "platformVersion": settings.platform_version,
        "platformFamily": PLATFORM_FAMILY,
        "taskDefinition": settings.task_definition,
        "loadBalancers": settings.balancers,
        "serviceRegistries": settings.registries,
        "networkConfiguration": settings.network,
        "deploymentConfiguration": options.get("deploymentConfiguration", {}),
        "deploymentController": {"type": "ECS"},
        "deployments": [deployment(item, each) for each in item.visible_deployments],
        "events": item.events,
        "createdAt": item.created_at,
        "schedulingStrategy": "REPLICA",
        "healthCheckGracePeriodSeconds": options.get("healthCheckGracePeriodSeconds", 0),
        "enableECSManagedTags": bool(options.get("enableECSManagedTags", False)),
        "propagateTags": options.get("propagateTags", "NONE"),
        "enableExecuteCommand": bool(options.get("enableExecuteCommand", False)),
        "placementConstraints": [],
        "placementStrategy": [],
        "tags": options.get("tags", []),
    }


def deployment(owner: Service, item: Deployment) -> dict[str, Any]:
    """One entry of a service's deployments."""
    running, pending = _counts(owner.tasks_of(item))
    return {
        "id": item.id,
        "status": item.status,
        "taskDefinition": item.settings.task_definition,
        "desiredCount": owner.desired if item.status == "PRIMARY" else 0,
        "pendingCount": pending,
        "runningCount": running,
        "failedTasks": item.failed_tasks,
        "createdAt": item.created_at,
        "updatedAt": item.updated_at,
        "launchType": "FARGATE",
        "platformVersion": item.settings.platform_version,
        "platformFamily": PLATFORM_FAMILY,
        "networkConfiguration": item.settings.network,
        "rolloutState": item.rollout,
        "rolloutStateReason": item.reason,
    }


def task(item: Task) -> dict[str, Any]:
    """What DescribeTasks shows; what is not known yet is left out, as at AWS."""
    shown = {
        "taskArn": item.arn,
        "taskDefinitionArn": item.definition,
        "clusterArn": item.arn.replace(":task/", ":cluster/").rpartition("/")[0],
        "group": f"service:{item.service}",
        "startedBy": item.deployment,
        "lastStatus": item.last_status,
        "desiredStatus": item.desired_status,
        "healthStatus": item.health,
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "platformFamily": PLATFORM_FAMILY,
        "connectivity": None if item.started_at is None else "CONNECTED",
        "enableExecuteCommand": item.execute_command,
        "createdAt": item.created_at,
        "pullStartedAt": item.pull_started_at,
        "startedAt": item.started_at,
        "stoppingAt": item.stopping_at,
        "stoppedAt": item.stopped_at,
        "executionStoppedAt": item.stopped_at if item.started_at else None,
        "stopCode": item.stop_code,
        "stoppedReason": item.stopped_reason,
        "attachments": _attachments(item),
        "containers": [_container(item)],
        "overrides": {"containerOverrides": [{"name": item.container["name"]}]},
        "cpu": "512",
        "memory": "1024",
        "version": 1,
        "tags": [],
    }
    return _known(shown)


def service_deployment(owner: Service, item: Deployment) -> dict[str, Any]:
    """What DescribeServiceDeployments shows."""
    revision = {"arn": revision_arn(owner, item), "requestedTaskCount": owner.desired}
    shown: dict[str, Any] = {
        "serviceDeploymentArn": deployment_arn(owner, item),
        "serviceArn": owner.arn,
        "clusterArn": owner.cluster_arn,
        "createdAt": item.created_at,
        "startedAt": item.created_at,
        "updatedAt": item.updated_at,
        "finishedAt": item.finished_at,
        "targetServiceRevision": revision,
        "status": _deployment_status(item),
        "statusReason": item.reason,
        "deploymentConfiguration": owner.options.get("deploymentConfiguration", {}),
        "rollback": {"reason": item.reason} if item.rolled_back_to else None,
    }
    return _known(shown)


def service_revision(owner: Service, item: Deployment) -> dict[str, Any]:
    """What DescribeServiceRevisions shows."""
    return {
        "serviceRevisionArn": revision_arn(owner, item),
        "serviceArn": owner.arn,
        "clusterArn": owner.cluster_arn,
        "taskDefinition": item.settings.task_definition,
        "launchType": "FARGATE",
        "platformVersion": item.settings.platform_version,
        "platformFamily": PLATFORM_FAMILY,
        "loadBalancers": item.settings.balancers,
        "serviceRegistries": item.settings.registries,
        "networkConfiguration": item.settings.network,
        "createdAt": item.created_at,
    }


def deployment_arn(owner: Service, item: Deployment) -> str:
    """The ARN of a deployment as the service-deployment operations name it."""
    return owner.arn.replace(":service/", ":service-deployment/") + f"/{_number(item)}"


def revision_arn(owner: Service, item: Deployment) -> str:
    """The ARN of what a deployment deployed."""
    return owner.arn.replace(":service/", ":service-revision/") + f"/{_number(item)}"


def _number(item: Deployment) -> str:
    return item.id.rpartition("/")[2]


def _deployment_status(item: Deployment) -> str:
    if item.rollout == "FAILED" and not item.rolled_back_to:
        return "STOPPED"
    return _STATUS_OF_DEPLOYMENT[item.rollout]


def _counts(tasks: list[Task]) -> tuple[int, int]:
    running = sum(each.last_status == "RUNNING" and not each.ended for each in tasks)
    pending = sum(each.wanted and each.last_status != "RUNNING" for each in tasks)
    return running, pending


def _attachments(item: Task) -> list[dict[str, Any]]:
    found = item.interface
    if found is None:
        return []
    details = {
        "subnetId": found.subnet,
        "networkInterfaceId": found.id,
        "macAddress": found.mac,
        "privateDnsName": found.dns_name,
        "privateIPv4Address": found.address,
    }
    return [
        {
            "id": item.id,
            "type": "ElasticNetworkInterface",
            "status": "DELETED" if item.ended else "ATTACHED",
            "details": [{"name": name, "value": value} for name, value in details.items()],
        }
    ]


def _container(item: Task) -> dict[str, Any]:
    identifier = item.arn.rpartition(":task/")[2].partition("/")[0]
    prefix = item.arn.partition(":task/")[0]
    shown = {
        "containerArn": f"{prefix}:container/{identifier}/{item.id}/{item.runtime_number}",
        "taskArn": item.arn,
        "name": item.container["name"],
        "image": item.container["image"],
        "imageDigest": _digest(item.container["image"]) if item.started_at else None,
        "runtimeId": f"{item.id}-{item.runtime_number}" if item.process else None,
        "lastStatus": _container_status(item),
        "exitCode": item.exit_code,
        "reason": item.stopped_reason if item.stop_code == "TaskFailedToStart" else None,
        "healthStatus": item.health,
        "networkInterfaces": _container_interfaces(item),
        "managedAgents": _agents(item),
        "cpu": "0",
    }
    return _known(shown)


def _digest(image: str) -> str:
    """What a registry would say of an image: the same for the same one, and no other's."""
    return f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def _container_status(item: Task) -> str:
    if item.ended:
        return "STOPPED"
    return "RUNNING" if item.started_at and item.exit_code is None else "PENDING"


def _container_interfaces(item: Task) -> list[dict[str, str]]:
    if item.interface is None:
        return []
    return [{"attachmentId": item.id, "privateIpv4Address": item.interface.address}]


def _agents(item: Task) -> list[dict[str, Any]] | None:
    if not item.execute_command or item.started_at is None:
        return None
    status = "STOPPED" if item.ended else "RUNNING"
    name = "ExecuteCommandAgent"
    return [{"name": name, "lastStatus": status, "lastStartedAt": item.started_at}]


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}
