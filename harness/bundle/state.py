"""The platform's configuration: what is deployed, wired, registered and let through."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

import msgspec

from harness.aws import view
from harness.bundle.logs import File
from harness.bundle.source import Source

Json = dict[str, Any]


def security_groups(source: Source) -> Iterator[File]:
    """Yield every rule of the groups of tasks, database and load balancers."""
    groups = source.section("security-groups")
    lines = ["group                     direction  protocol  ports          from or to"]
    for group in groups.values():
        for key, direction in (("IpPermissions", "in"), ("IpPermissionsEgress", "out")):
            lines += [
                f"{group['GroupName']:<25} {direction:<10} {text}"
                for rule in group.get(key, [])
                for text in _rule(rule, groups)
            ]
    yield "security-groups.txt", "\n".join(lines) + "\n"
    yield "security-groups.json", _json(groups)


def _rule(rule: Json, groups: Json) -> Iterator[str]:
    protocol = "all" if str(rule["IpProtocol"]) == "-1" else rule["IpProtocol"]
    ports = "all" if protocol == "all" else f"{rule.get('FromPort')}-{rule.get('ToPort')}"
    peers = [
        f"{pair['GroupId']} {groups.get(pair['GroupId'], {}).get('GroupName', '')}".strip()
        for pair in rule.get("UserIdGroupPairs", [])
    ]
    peers += [each["CidrIp"] for each in rule.get("IpRanges", [])]
    for peer in peers:
        yield f"{protocol:<9} {ports:<14} {peer}"


def cloud_map(source: Source) -> Iterator[File]:
    """Yield the namespaces, services and registered instances."""
    instances = source.section("discovery-instances")
    services = source.section("discovery-services")["Services"]
    lines = [
        f"{each['Name']}.{each['Namespace']}: " + (_addresses(instances.get(each["Id"], [])) or "-")
        for each in services
    ]
    yield "cloud-map.txt", "\n".join(lines or ["no service in any private namespace"]) + "\n"
    whole = {"namespaces": source.section("namespaces"), "services": services}
    yield "cloud-map.json", _json({**whole, "instances": instances})


def _addresses(instances: list[Json]) -> str:
    return ", ".join(each["Attributes"].get("AWS_INSTANCE_IPV4", each["Id"]) for each in instances)


def secret_configuration(source: Source) -> Iterator[File]:
    """Yield the secret's metadata, and where each task definition takes secrets from: no value."""
    definitions = source.section("task-definitions")["taskDefinitions"]
    wiring = {
        view.revision(arn): view.secrets(each)
        for arn, definition in definitions.items()
        for each in definition["containerDefinitions"]
    }
    yield (
        "secret-configuration.json",
        _json({"secret": source.section("secret"), "wired in": wiring}),
    )


def task_definitions(source: Source) -> Iterator[File]:
    """Yield each deployed task definition, and how it differs from the revision before it."""
    section = source.section("task-definitions")
    known = section["taskDefinitions"]
    for service in source.section("services").get("services", []):
        deployed = service["taskDefinition"]
        name = view.revision(deployed).replace(":", "-")
        yield f"{name}.json", _json(known.get(deployed, {}))
        before = _revision_before(source, deployed, known)
        yield f"{name}.diff", _difference(before, known.get(deployed, {}))


def _revision_before(source: Source, deployed: str, known: Json) -> Json:
    family, number = view.family(deployed), int(deployed.rpartition(":")[2])
    for arn, definition in known.items():
        if view.family(arn) == family and int(arn.rpartition(":")[2]) == number - 1:
            return dict(definition)
    if number == 1:
        return {}
    asked = source.read("ecs", "describe_task_definition", taskDefinition=f"{family}:{number - 1}")
    return dict(asked["taskDefinition"])


def _difference(before: Json, after: Json) -> str:
    if not before:
        return "this is the first revision\n"
    old, new = (_json(each).splitlines(keepends=True) for each in (before, after))
    was, is_now = (view.revision(each.get("taskDefinitionArn", "")) for each in (before, after))
    return "".join(difflib.unified_diff(old, new, was, is_now)) or "no difference\n"


def deployments(source: Source) -> Iterator[File]:
    """Yield deployments, their outcome, the services' events, and the tasks that stopped."""
    lines: list[str] = []
    for service in source.section("services").get("services", []):
        lines.append(f"== {service['serviceName']}")
        history = source.section("deployments").get(service["serviceName"], [])
        lines += [f"deployment {e.get('status')}: {e.get('statusReason', '')}" for e in history]
        lines += [f"event: {each['message']}" for each in service.get("events", [])]
    stopped = [t for t in source.section("tasks")["tasks"] if t.get("lastStatus") == "STOPPED"]
    lines += [
        f"stopped: {view.revision(t['taskDefinitionArn'])} {t.get('stopCode')}: "
        f"{t.get('stoppedReason')}"
        for t in stopped
    ]
    yield "deployments.txt", "\n".join(lines) + "\n"
    yield "services.json", _json(source.section("services"))


def target_health(source: Source) -> Iterator[File]:
    """Yield the health of each target, as the load balancers see it."""
    health, lines = source.section("target-health"), []
    for group in source.section("target-groups")["TargetGroups"]:
        for each in health.get(group["TargetGroupArn"], []):
            target, state = each["Target"], each["TargetHealth"]
            told = " ".join(filter(None, (state["State"], state.get("Description"))))
            lines.append(f"{group['TargetGroupName']}: {target['Id']}:{target['Port']} {told}")
    yield "target-health.txt", "\n".join(lines or ["no target is registered"]) + "\n"


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n"
