"""The AWS CLI's command that reads what an observation of the control plane read."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import Any

from harness.finding import ELSEWHERE
from harness.observation import AwsObservation

# Several resources in one answer are keyed by what the operation was asked for.
ASKED_BY = {
    "describe_target_health": "--target-group-arn",
    "describe_listeners": "--load-balancer-arn",
    "describe_rules": "--listener-arn",
    "describe_certificate": "--certificate-arn",
    "list_instances": "--service-id",
}
MOST = 4


def command(observation: AwsObservation) -> str | None:
    """Return the command, one line for each resource (the first few); None if there is none."""
    if not observation.operation:
        return None
    base = f"aws {observation.service} {observation.operation.replace('_', '-')}"
    if observation.service == "rds":
        base = f"{base} {ELSEWHERE}"
    lines = [f"{base} {words}".rstrip() for words in _arguments(observation)]
    left = len(lines) - MOST
    more = [f"# and {left} more like these"] if left > 0 else []
    return "\n".join([*lines[:MOST], *more])


def _arguments(observation: AwsObservation) -> Iterator[str]:
    answer, operation = observation.response, observation.operation
    if operation in ASKED_BY:
        yield from (f"{ASKED_BY[operation]} {shlex.quote(key)}" for key in answer)
    elif operation == "describe_task_definition":
        found = answer.get("taskDefinitions", {})
        yield from (f"--task-definition {shlex.quote(_tail(arn))}" for arn in found)
    elif operation == "list_service_deployments":
        yield from (_of_cluster(each, "--service") for each in answer.items() if each[1])
    elif operation in ("describe_services", "describe_tasks"):
        yield from _of_ecs(operation.removeprefix("describe_"), answer)
    elif operation == "describe_secret":
        yield f"--secret-id {shlex.quote(answer.get('Name', '<its name>'))}"
    else:
        yield ""


def _of_ecs(kind: str, answer: dict[str, Any]) -> Iterator[str]:
    found = answer.get(kind, [])
    names = [_tail(each.get("serviceArn") or each.get("taskArn", "")) for each in found]
    if found:
        cluster = _tail(found[0].get("clusterArn", ""))
        yield f"--cluster {shlex.quote(cluster)} --{kind} {' '.join(map(shlex.quote, names))}"


def _of_cluster(named: tuple[str, list[dict[str, Any]]], option: str) -> str:
    name, found = named
    cluster = _tail(found[0].get("clusterArn", ""))
    return f"--cluster {shlex.quote(cluster)} {option} {shlex.quote(name)}"


def _tail(arn: str) -> str:
    return arn.rpartition("/")[2]
