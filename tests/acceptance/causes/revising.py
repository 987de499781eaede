"""Command lines that give a service another task definition: what mends most wiring."""

from __future__ import annotations

import shlex

from harness.aws import view
from harness.environment import Environment

# What DescribeTaskDefinition tells and RegisterTaskDefinition does not take.
_NOT_REGISTRABLE = (
    "taskDefinitionArn,revision,status,requiresAttributes,compatibilities,registeredAt,registeredBy"
)


def with_variable(environment: Environment, service: str, name: str, value: str) -> tuple[str, ...]:
    """Return the commands that set a plain variable in a service's container and deploy it."""
    change = (
        f'.environment = [.environment[]? | select(.name != "{name}")]'
        f' + [{{"name": "{name}", "value": "{value}"}}]'
    )
    return revised(environment, service, change)


def with_secret(environment: Environment, service: str, name: str, source: str) -> tuple[str, ...]:
    """Return the commands that wire a secret variable and deploy it."""
    change = (
        f'.secrets = [.secrets[]? | select(.name != "{name}")]'
        f' + [{{"name": "{name}", "valueFrom": "{source}"}}]'
    )
    return revised(environment, service, change)


def with_image(environment: Environment, service: str, image: str) -> tuple[str, ...]:
    """Return the commands that deploy another image."""
    return revised(environment, service, f'.image |= sub("[^/]*/[^/]*$"; "{image}")')


def revised(environment: Environment, service: str, change: str) -> tuple[str, ...]:
    """Return the commands that change the first container (a jq filter) and deploy it."""
    target = view.names(environment).services[service].service
    return _registered(environment, service, target, f" | .containerDefinitions[0] |= ({change})")


def back_to(environment: Environment, service: str, revision: str) -> tuple[str, ...]:
    """Return the commands that make an earlier ``family:revision`` the newest, and deploy it."""
    return _registered(environment, service, revision, "")


def _registered(
    environment: Environment, service: str, source: str, change: str
) -> tuple[str, ...]:
    target = view.names(environment).services[service].service
    removed = ", ".join(f".{each}" for each in _NOT_REGISTRABLE.split(","))
    program = shlex.quote(f".taskDefinition | del({removed}){change}")
    return (
        f"aws ecs describe-task-definition --task-definition {source}"
        f" | jq {program} > {target}.json",
        f"aws ecs register-task-definition --cli-input-json file://{target}.json",
        deployed(environment, service),
    )


def log_of(environment: Environment, service: str) -> str:
    """Return the command that shows what a service logged in the last hour."""
    target = view.names(environment).services[service].service
    return (
        f"aws logs filter-log-events --log-group-name /ecs/{target} "
        "--start-time $(date -d '-1 hour' +%s)000 --query 'events[].message' --output text"
    )


def deployed(environment: Environment, service: str, revision: str | None = None) -> str:
    """Return the command that deploys the newest (or a given) revision afresh."""
    names = view.names(environment)
    target = names.services[service].service
    return (
        f"aws ecs update-service --cluster {names.cluster} --service {target} "
        f"--task-definition {revision or target} --force-new-deployment"
    )
