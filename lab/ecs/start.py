"""What ECS does before a container runs: its image, its secrets, its log; and how each can fail.

The texts are those that AWS shows as a task's `stoppedReason`.
"""

from __future__ import annotations

import json
from typing import Any

from lab.aws.backends import Backends
from lab.ecs.model import StartError

_PULL = (
    "ResourceInitializationError: unable to pull secrets or registry auth: execution resource "
    "retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s)"
)
_LOGGER = (
    "ResourceInitializationError: failed to validate logger args: create stream has been retried "
    "1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified "
    "log group does not exist. : exit status 1"
)


def environment_of(
    backends: Backends, definition: Any, container: dict[str, Any]
) -> dict[str, str]:
    """The container's variables with its secrets resolved. Raises StartError as AWS would."""
    with backends.lock:
        _check_log_group(backends, container)
        variables = {each["name"]: each["value"] for each in container.get("environment", [])}
        role = getattr(definition, "execution_role_arn", "")
        for each in container.get("secrets", []):
            variables[each["name"]] = _secret(backends, each["valueFrom"], role)
    return variables


def image_not_found(image: str) -> StartError:
    """The failure of a task whose image does not exist."""
    return StartError(
        "CannotPullContainerError: pull image manifest has been retried 1 time(s): "
        f"failed to resolve ref {image}: {image}: not found"
    )


def _check_log_group(backends: Backends, container: dict[str, Any]) -> None:
    options = container.get("logConfiguration", {}).get("options", {})
    group = options.get("awslogs-group")
    wanted = group and str(options.get("awslogs-create-group", "false")).lower() != "true"
    if wanted and group not in backends.logs.groups:
        raise StartError(_LOGGER)


def _secret(backends: Backends, value_from: str, role: str) -> str:
    """Resolve `<secret arn>[:json-key:version-stage:version-id]`."""
    parts = value_from.split(":")
    arn, key = ":".join(parts[:7]), parts[7] if len(parts) > 7 else ""
    _check_permission(backends, role, arn)
    stage = parts[8] if len(parts) > 8 and parts[8] else "AWSCURRENT"
    text = _value(backends, arn, stage)
    return _json_key(text, key) if key else text


def _value(backends: Backends, arn: str, stage: str) -> str:
    for secret in backends.secretsmanager.secrets.values():
        if arn in (secret.arn, secret.name) and not secret.is_deleted():
            for version in secret.versions.values():
                if stage in version["version_stages"]:
                    return str(version["secret_string"])
    text = "ResourceNotFoundException: Secrets Manager can't find the specified secret."
    raise StartError(f"{_PULL}: failed to fetch secret {arn} from secrets manager: {text}")


def _json_key(text: str, key: str) -> str:
    try:
        document = json.loads(text)
    except ValueError:
        reason = "invalid character: the secret's value is not JSON"
        raise StartError(f"{_PULL}: unable to parse secret: {reason}") from None
    if not isinstance(document, dict) or key not in document:
        reason = f"retrieved secret from Secrets Manager did not contain json key {key}"
        raise StartError(f"{_PULL}: {reason}")
    return str(document[key])


def _check_permission(backends: Backends, role: str, arn: str) -> None:
    action = "secretsmanager:GetSecretValue"
    if not permitted(backends, role, action, arn):
        account = backends.account
        who = f"arn:aws:sts::{account}:assumed-role/{role.rpartition('/')[2]}/ecs-task"
        raise StartError(
            f"{_PULL}: failed to fetch secret {arn} from secrets manager: AccessDeniedException: "
            f"User: {who} is not authorized to perform: {action} on resource: {arn} because no "
            f"identity-based policy allows the {action} action"
        )


def permitted(backends: Backends, role: str, action: str, resource: str) -> bool:
    """Whether the policies of a role (by its ARN) allow an action on a resource."""
    from moto.iam.access_control import IAMPolicy, PermissionResult

    found = [each for each in backends.iam.roles.values() if each.arn == role]
    if not found:
        return False
    policies = [*found[0].policies.values(), *found[0].managed_policies.values()]
    results = [IAMPolicy(each).is_action_permitted(action, resource) for each in policies]
    return PermissionResult.DENIED not in results and PermissionResult.PERMITTED in results
