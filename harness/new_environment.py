"""A commented environment file for another stage, from the names that its AWS account tells."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.aws import view
from harness.aws.sections import Reader, batches
from harness.errors import UsageError

ROLES = ("api", "mlflow", "auth")
SERVICES_PER_CALL = 10
REQUIRED = "# REQUIRED: not to be found out from AWS"
NAME = re.compile(r"[a-z][a-z0-9-]*")


def write(folder: Path, name: str, aws: Reader, region: str, cluster: str | None) -> Path:
    """Write ``<name>.yaml`` into the folder; returns its path. Raises UsageError, StageError."""
    path = folder / f"{name}.yaml"
    if not NAME.fullmatch(name):
        raise UsageError(f"'{name}' is no name for an environment: small letters, digits, dashes")
    if path.exists():
        raise UsageError(f"{path} is there already: edit it, or move it away first")
    text = draft(name, aws, region, cluster)
    path.write_text(text, encoding="utf-8")
    return path


def draft(name: str, aws: Reader, region: str, cluster: str | None) -> str:
    """Return the file's text: names only, each where it belongs if that is sure, else as a hint."""
    chosen = _cluster(aws, cluster)
    services = _services(aws, chosen)
    found = {role: _of_role(role, services) for role in ROLES}
    databases = aws.read("rds", "describe_db_instances").get("DBInstances", [])
    secrets = aws.read("secretsmanager", "list_secrets").get("SecretList", [])
    lines = [
        f"# Drafted by 'make init ENV={name}' from cluster {chosen} in {region}. Names only.",
        f"description: {name}",
        "registry:",
        f"  url:   {REQUIRED}: https://…",
        "mlflow:",
        f"  url:   {REQUIRED}: http://…:5000, the name inside the network",
        "auth:",
        f"  url:   {REQUIRED}: https://…",
        f"  service_id:   {REQUIRED}: the service id that API keys are validated for",
        "database:",
        *_one("  instance", [each["DBInstanceIdentifier"] for each in databases]),
        "  # name: mlflow_db",
        "  # user: mlflow",
        "aws:",
        f"  region: {region}",
        f"  cluster: {chosen}",
        *_one("  secret", [each["Name"] for each in secrets]),
        f"  secret_key:   {REQUIRED}: the key of the database's password in that secret",
        "  services:",
    ]
    for role, service in found.items():
        lines += _entry(aws, role, service, [each["serviceName"] for each in services])
    lines += ["limits:", "  deadline: 15", "policy:", "  must_judge: [p0]"]
    return "\n".join(lines) + "\n"


def _cluster(aws: Reader, wanted: str | None) -> str:
    arns = aws.read("ecs", "list_clusters").get("clusterArns", [])
    known = sorted(arn.rpartition("/")[2] for arn in arns)
    if wanted is None and len(known) == 1:
        return str(known[0])
    if wanted in known:
        return str(wanted)
    told = ", ".join(known) or "none"
    raise UsageError(f"choose the ECS cluster with CLUSTER=…: this account and region have {told}")


def _services(aws: Reader, cluster: str) -> list[view.Json]:
    arns = aws.read("ecs", "list_services", cluster=cluster).get("serviceArns", [])
    return [
        service
        for batch in batches(arns, SERVICES_PER_CALL)
        for service in aws.read("ecs", "describe_services", cluster=cluster, services=batch)[
            "services"
        ]
    ]


def _of_role(role: str, services: Sequence[view.Json]) -> view.Json | None:
    """Return the one service whose name has the role as a word; None where that is not sure."""
    named = [each for each in services if role in each["serviceName"].split("-")]
    return named[0] if len(named) == 1 else None


def _entry(aws: Reader, role: str, service: view.Json | None, known: list[str]) -> list[str]:
    if service is None:
        return [f"    {role}:", f"      service:   {REQUIRED}: one of {', '.join(known) or 'none'}"]
    definition = aws.read(
        "ecs", "describe_task_definition", taskDefinition=service["taskDefinition"]
    )["taskDefinition"]
    containers: list[dict[str, Any]] = definition["containerDefinitions"]
    attached: list[view.Json] = service.get("loadBalancers", [])
    balanced: view.Json = next(iter(attached), {})
    named = [each for each in containers if each["name"] == balanced.get("containerName")]
    first = (named or containers)[0]
    ports = [each["containerPort"] for each in first.get("portMappings", [])]
    return [
        f"    {role}:",
        f"      service: {service['serviceName']}",
        f"      container: {first['name']}",
        f"      port: {ports[0]}" if ports else f"      port:   {REQUIRED}",
        f"      # image: {_short(first.get('image', '…'))}  # deployed now; if set, expected",
        *_balanced(aws, [each["targetGroupArn"] for each in attached]),
    ]


def _short(image: str) -> str:
    """Return how the image's reference ends: its registry is the account's own."""
    return image.partition("/")[2] or image


def _balanced(aws: Reader, arns: list[str]) -> list[str]:
    if not arns:
        return [
            f"      target_group:   {REQUIRED}: no load balancer is attached",
            f"      health:   {REQUIRED}: path and status, like [/health, '200']",
        ]
    described = aws.read("elbv2", "describe_target_groups", TargetGroupArns=arns)["TargetGroups"]
    group, *others = described
    balancers = [arn.split("/")[-2] for arn in group.get("LoadBalancerArns", [])]
    codes = group.get("Matcher", {}).get("HttpCode", "200")
    also = ", ".join(other["TargetGroupName"] for other in others)
    return [
        f"      target_group: {group['TargetGroupName']}" + (f"  # or: {also}" if also else ""),
        *(f"      load_balancer: {name}" for name in balancers[:1] if len(balancers) == 1),
        f'      health: [{group.get("HealthCheckPath", "/")}, "{codes}"]',
    ]


def _one(key: str, known: list[str]) -> list[str]:
    """Return the setting if there is one candidate only; else all of them, to choose from."""
    if len(known) == 1:
        return [f"{key}: {msgspec.json.encode(known[0]).decode()}"]
    return [f"{key}:   {REQUIRED}: one of {', '.join(sorted(known)) or 'none that was found'}"]
