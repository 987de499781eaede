"""IAM: the role with which ECS starts tasks, and the role that the tasks have."""

from __future__ import annotations

import json
from typing import Any

from lab import names
from lab.aws.permissions import USER
from lab.platform import Platform

EXECUTION_ROLE = f"hokusai-ecs-execution-{names.STAGE}"
TASK_ROLE = f"hokusai-ecs-task-{names.STAGE}"
SECRETS_POLICY = "read-app-secrets"

_TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ecs-tasks.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}


def create_roles(platform: Platform) -> None:
    """Create both roles with their policies, and the user that whoever tests the lab is."""
    _create_role(platform, EXECUTION_ROLE, SECRETS_POLICY, execution_policy())
    _create_role(platform, TASK_ROLE, "task", _task_policy())
    platform.aws.iam.create_user(UserName=USER)
    everything = json.dumps(_policy(_allow(["*"])))
    platform.aws.iam.put_user_policy(
        UserName=USER, PolicyName="everything", PolicyDocument=everything
    )


def execution_policy() -> dict[str, Any]:
    """What ECS may do to start a task: pull the image, write its log, read its secrets."""
    return _policy(
        _allow(["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]),
        _allow(["logs:CreateLogStream", "logs:PutLogEvents"]),
        _allow(
            ["secretsmanager:GetSecretValue"],
            f"arn:aws:secretsmanager:{names.REGION}:*:secret:hokusai/*",
        ),
    )


def _task_policy() -> dict[str, Any]:
    channels = ("CreateControlChannel", "CreateDataChannel", "OpenControlChannel")
    exec_actions = [f"ssmmessages:{name}" for name in (*channels, "OpenDataChannel")]
    bucket = f"arn:aws:s3:::{names.ARTIFACT_BUCKET}"
    return _policy(
        _allow(exec_actions),
        _allow(["s3:ListBucket"], bucket),
        _allow(["s3:GetObject", "s3:PutObject", "s3:DeleteObject"], f"{bucket}/*"),
    )


def _create_role(platform: Platform, role: str, policy: str, document: dict[str, Any]) -> None:
    iam = platform.aws.iam
    iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(_TRUST))
    iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _allow(actions: list[str], resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resource}
