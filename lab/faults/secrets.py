"""Faults of secrets: what they hold, how they are wired, who may read them."""

from __future__ import annotations

import hashlib
import json
import secrets
from typing import Any

from lab import names
from lab.faults.fault import Change, declare
from lab.platform import Platform, set_secret, set_variable
from lab.provision.identity import EXECUTION_ROLE, SECRETS_POLICY, execution_policy

_DENIED = "no-secrets-any-more"


def _document(platform: Platform, secret: str) -> dict[str, Any]:
    text = platform.aws.secretsmanager.get_secret_value(SecretId=secret)["SecretString"]
    document: dict[str, Any] = json.loads(text)
    return document


def _put(platform: Platform, secret: str, **changed: str) -> None:
    document = _document(platform, secret) | changed
    platform.aws.secretsmanager.put_secret_value(SecretId=secret, SecretString=json.dumps(document))


def _set_master_password(platform: Platform, password: str) -> None:
    platform.aws.rds.modify_db_instance(
        DBInstanceIdentifier=names.DATABASE_INSTANCE,
        MasterUserPassword=password,
        ApplyImmediately=True,
    )


def _rotate_without_restart(platform: Platform) -> None:
    password = secrets.token_urlsafe(24)
    _put(platform, names.APP_SECRETS, database_password=password)
    _set_master_password(platform, password)


def _change_the_instance_only(platform: Platform) -> None:
    _set_master_password(platform, secrets.token_urlsafe(24))


def _as_the_secret_says(platform: Platform) -> None:
    """Let database and tasks have the password that the secret holds now."""
    _set_master_password(platform, _document(platform, names.APP_SECRETS)["database_password"])
    for service in (names.API, names.MLFLOW):
        platform.restore(service, anew=True)


def _lose(service: str, variable: str) -> Change:
    def change(platform: Platform) -> None:
        platform.revise(service, lambda container: set_secret(container, variable, None))

    return change


def _wire(service: str, variable: str, key: str) -> Change:
    def change(platform: Platform) -> None:
        source = f"{platform.secret(names.APP_SECRETS)}:{key}::"
        platform.revise(service, lambda container: set_secret(container, variable, source))

    return change


def _delete(platform: Platform) -> None:
    platform.aws.secretsmanager.delete_secret(SecretId=names.APP_SECRETS, RecoveryWindowInDays=30)


def _undelete(platform: Platform) -> None:
    platform.aws.secretsmanager.restore_secret(SecretId=names.APP_SECRETS)


def _deny_secrets(platform: Platform) -> None:
    statement = {"Effect": "Deny", "Action": "secretsmanager:GetSecretValue", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    platform.aws.iam.put_role_policy(
        RoleName=EXECUTION_ROLE, PolicyName=_DENIED, PolicyDocument=json.dumps(document)
    )
    platform.redeploy(names.API)


def _allow_secrets(platform: Platform) -> None:
    platform.aws.iam.delete_role_policy(RoleName=EXECUTION_ROLE, PolicyName=_DENIED)
    platform.aws.iam.put_role_policy(
        RoleName=EXECUTION_ROLE,
        PolicyName=SECRETS_POLICY,
        PolicyDocument=json.dumps(execution_policy()),
    )
    platform.restore(names.API, anew=True)


def _delete_log_group(platform: Platform) -> None:
    platform.aws.logs.delete_log_group(logGroupName=f"/ecs/{names.API}")
    platform.redeploy(names.API)


def _create_log_group(platform: Platform) -> None:
    platform.aws.logs.create_log_group(logGroupName=f"/ecs/{names.API}")
    platform.restore(names.API, anew=True)


def _forget_keys(platform: Platform) -> None:
    hashes = _document(platform, names.AUTH_SECRETS)["api_key_hashes"]
    nobodys = hashlib.sha256(secrets.token_bytes(16)).hexdigest()
    _put(platform, names.AUTH_SECRETS, api_key_hashes=nobodys, before=hashes)
    platform.redeploy(names.AUTH)


def _know_keys(platform: Platform) -> None:
    document = _document(platform, names.AUTH_SECRETS)
    _put(platform, names.AUTH_SECRETS, api_key_hashes=document["before"])
    platform.restore(names.AUTH, anew=True)


declare(
    "password-rotated-without-a-restart",
    "The database password was rotated, in the secret and at the instance, and no task restarted",
    changes="database password",
    apply=_rotate_without_restart,
    heal=_as_the_secret_says,
)
declare(
    "password-changed-at-the-instance-only",
    "The database password was changed at the instance, and not in the secret",
    changes="database password",
    apply=_change_the_instance_only,
    heal=_as_the_secret_says,
)
declare(
    "app-secret-deleted",
    "The application's secret is scheduled for deletion: the next task cannot start",
    changes="app secret",
    apply=_delete,
    heal=_undelete,
)
declare(
    "secrets-not-readable",
    "The execution role may not read secrets any more, so that no new task of the API starts",
    changes="api rollout",
    deploys=("api",),
    apply=_deny_secrets,
    heal=_allow_secrets,
)
declare(
    "log-group-deleted",
    "The API's log group was deleted, so that no new task of it starts",
    changes="api rollout",
    deploys=("api",),
    apply=_delete_log_group,
    heal=_create_log_group,
)
declare(
    "auth-forgot-the-keys",
    "The auth service's secret holds the digests of other keys",
    changes="auth secret",
    deploys=("auth",),
    apply=_forget_keys,
    heal=_know_keys,
)
declare(
    "api-password-from-another-key",
    "DB_PASSWORD of the API is wired from another key of the secret",
    changes="api DB_PASSWORD",
    deploys=("api",),
    apply=_wire(names.API, "DB_PASSWORD", "secret_key"),
    heal=lambda platform: platform.restore(names.API),
)
declare(
    "api-password-from-a-missing-key",
    "DB_PASSWORD of the API is wired from a key that the secret does not have",
    changes="api rollout",
    deploys=("api",),
    apply=_wire(names.API, "DB_PASSWORD", "db_password"),
    heal=lambda platform: platform.restore(names.API),
)


def _write_out_password(platform: Platform) -> None:
    def edit(container: dict[str, Any]) -> None:
        set_variable(container, "DB_PASSWORD", secrets.token_urlsafe(12))
        set_secret(container, "DB_PASSWORD", None)

    platform.revise(names.API, edit)


declare(
    "api-password-written-out",
    "DB_PASSWORD of the API is a plain variable with an old value instead of the secret",
    changes="api DB_PASSWORD",
    deploys=("api",),
    apply=_write_out_password,
    heal=lambda platform: platform.restore(names.API),
)
for _name, _variable in (
    ("api", "DB_PASSWORD"),
    ("mlflow", "DB_PASSWORD"),
    ("auth", "API_KEY_HASHES"),
):
    declare(
        f"{_name}-lost-its-secret",
        f"A newer revision of the {_name} task definition lost the secret {_variable}",
        changes=f"{_name} {_variable}",
        deploys=(_name,),
        apply=_lose(names.SERVICES[_name], _variable),
        heal=lambda platform, _service=names.SERVICES[_name]: platform.restore(_service),  # type: ignore[misc]
    )
