"""Reading the inventory: small facts from the sections' plain JSON. Pure functions."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from harness.environment import Aws, Environment, Service
from harness.expect import CannotJudge
from harness.observation import AwsObservation, FailureKind

Json = dict[str, Any]


def names(environment: Environment) -> Aws:
    """Return the environment's AWS names. The sections cannot be read without them."""
    assert environment.aws is not None, "this environment has no aws section"
    return environment.aws


def service(services: AwsObservation, name: str) -> Json:
    """Return the ECS service of that name, or an empty one."""
    found = services.response.get("services", [])
    return next((each for each in found if each["serviceName"] == name), {})


def require_answer(section: AwsObservation) -> None:
    """Raise CannotJudge unless AWS answered, be it with an error: that there is no such thing."""
    failure = section.failure
    if failure is not None and failure.kind != FailureKind.AWS_ERROR:
        raise CannotJudge(str(failure))


def deployed_at(service_description: Json) -> float:
    """Return when the deployment that a service is to have was made, in epoch seconds."""
    made = [
        float(each.get("createdAt") or 0)
        for each in service_description.get("deployments", [])
        if each.get("status") == "PRIMARY"
    ]
    return max(made, default=0.0)


def running_tasks(tasks: AwsObservation, service_name: str) -> list[Json]:
    """Return the running tasks of a service, the newest first."""
    mine = [t for t in _tasks(tasks, service_name) if t.get("lastStatus") == "RUNNING"]
    return sorted(mine, key=lambda task: -float(task.get("startedAt") or 0))


def tasks_not_stopped(tasks: AwsObservation, service_name: str) -> list[Json]:
    """Return the tasks of a service that start, run or stop."""
    return [t for t in _tasks(tasks, service_name) if t.get("lastStatus") != "STOPPED"]


def stopped_tasks(tasks: AwsObservation, service_name: str) -> list[Json]:
    """Return the stopped tasks of a service, the latest first."""
    mine = [t for t in _tasks(tasks, service_name) if t.get("lastStatus") == "STOPPED"]
    return sorted(mine, key=lambda task: -float(task.get("stoppedAt") or 0))


def address(task: Json) -> str | None:
    """Return a task's private IPv4 address."""
    return _detail(task, "privateIPv4Address")


def interface_id(task: Json) -> str | None:
    """Return the id of a task's network interface."""
    return _detail(task, "networkInterfaceId")


def definition(definitions: AwsObservation, arn: str | None) -> Json:
    """Return a task definition by ARN, or an empty one."""
    found: Json = definitions.response.get("taskDefinitions", {}).get(arn, {})
    return found


def family(arn: str) -> str:
    """Return the family in a task definition's ARN."""
    return arn.rpartition("/")[2].partition(":")[0]


def revision(arn: str) -> str:
    """Return ``family:revision`` of a task definition's ARN."""
    return arn.rpartition("/")[2]


def container(task_definition: Json, name: str) -> Json:
    """Return the container definition of that name, or an empty one."""
    found = task_definition.get("containerDefinitions", [])
    return next((each for each in found if each["name"] == name), {})


def variables(container_definition: Json) -> dict[str, str]:
    """Return the plain environment variables of a container definition."""
    return {each["name"]: each["value"] for each in container_definition.get("environment", [])}


def secrets(container_definition: Json) -> dict[str, str]:
    """Return where the secret variables of a container definition come from."""
    return {each["name"]: each["valueFrom"] for each in container_definition.get("secrets", [])}


def host_of(url: str) -> str:
    """Return the host name in a URL, or an empty text."""
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def is_address(host: str) -> bool:
    """Return True for an IP address."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def target_group(groups: AwsObservation, name: str) -> Json:
    """Return the target group of that name, or an empty one."""
    found = groups.response.get("TargetGroups", [])
    return next((each for each in found if each["TargetGroupName"] == name), {})


def balancer_of(balancers: AwsObservation, service: Service, group: Json) -> Json:
    """Return the load balancer in front of a service: by its name, else by its target group."""
    arns = group.get("LoadBalancerArns", [])
    return next(
        (
            each
            for each in balancers.response.get("LoadBalancers", [])
            if each["LoadBalancerName"] == service.load_balancer
            or (service.load_balancer is None and each["LoadBalancerArn"] in arns)
        ),
        {},
    )


def groups_of(service_description: Json) -> list[str]:
    """Return the security group ids that a service gives to its tasks."""
    network = service_description.get("networkConfiguration", {})
    found: list[str] = network.get("awsvpcConfiguration", {}).get("securityGroups", [])
    return found


def admits(
    groups: Iterable[Json],
    direction: str,
    port: int,
    peer_groups: Iterable[str],
    peer_address: str | None,
) -> bool:
    """Return True if one of the groups has a rule for TCP ``port`` from or to the peer.

    ``direction`` is ``IpPermissions`` (ingress) or ``IpPermissionsEgress``. Where the peer's
    address is not known (None), any address range is taken to hold it: no false alarm.
    """
    peers = set(peer_groups)
    return any(
        _covers_port(rule, port) and _covers_peer(rule, peers, peer_address)
        for group in groups
        for rule in group.get(direction, [])
    )


def _covers_port(rule: Json, port: int) -> bool:
    if rule.get("IpProtocol") in ("-1", -1):
        return True
    if rule.get("IpProtocol") not in ("tcp", "6"):
        return False
    return int(rule.get("FromPort", 0)) <= port <= int(rule.get("ToPort", 65_535))


def _covers_peer(rule: Json, peers: set[str], peer_address: str | None) -> bool:
    if any(pair.get("GroupId") in peers for pair in rule.get("UserIdGroupPairs", [])):
        return True
    ranges = [entry["CidrIp"] for entry in rule.get("IpRanges", [])]
    if peer_address is None:
        return bool(ranges)
    return any(_contains(cidr, peer_address) for cidr in ranges)


def _contains(cidr: str, address_text: str) -> bool:
    return ipaddress.ip_address(address_text) in ipaddress.ip_network(cidr, strict=False)


def _tasks(tasks: AwsObservation, service_name: str) -> list[Json]:
    found = tasks.response.get("tasks", [])
    return [task for task in found if task.get("group") == f"service:{service_name}"]


def _detail(task: Json, name: str) -> str | None:
    return next(
        (
            str(detail["value"])
            for attachment in task.get("attachments", [])
            for detail in attachment.get("details", [])
            if detail["name"] == name
        ),
        None,
    )
