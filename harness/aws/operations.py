"""The operations of AWS that the suite may perform, and the permission that each needs.

The one list: the guard refuses what is not on it, and environments/iam-policy.json is made of it.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from harness.environment import Aws

# Operations of one kind that are needed by credentials themselves (a role, single sign-on).
AUTHENTICATION = frozenset(
    {
        ("sts", "AssumeRole"),
        ("sts", "AssumeRoleWithWebIdentity"),
        ("sts", "AssumeRoleWithSAML"),
        ("sso", "GetRoleCredentials"),
        ("sso-oidc", "CreateToken"),
    }
)


class Operation(NamedTuple):
    """One operation: ``resources`` are the ARNs that its permission is for, with the names of an
    environment in braces; ``why`` is told where it is not plainly a read.
    """

    service: str
    name: str
    resources: tuple[str, ...] = ("*",)
    action: str = ""
    reads: bool = True
    why: str = ""

    @property
    def permission(self) -> str:
        """The IAM action."""
        return self.action or f"{_PREFIX.get(self.service, self.service)}:{self.name}"


_PREFIX = {"elbv2": "elasticloadbalancing"}
_CLUSTER = "arn:aws:ecs:*:*:cluster/{cluster}"
_TASK = "arn:aws:ecs:*:*:task/{cluster}/*"
_SERVICE = "arn:aws:ecs:*:*:service/{cluster}/*"
_DATABASE = "arn:aws:rds:*:*:db:{database}"
_WIRED = "arn:aws:secretsmanager:*:*:secret:{secret}-*"
_LOGS = ("arn:aws:s3:::*",)

ALLOWED = (
    Operation("acm", "DescribeCertificate"),
    Operation("ec2", "DescribeNetworkAcls"),
    Operation("ec2", "DescribeNetworkInterfaces"),
    Operation("ec2", "DescribeRouteTables"),
    Operation("ec2", "DescribeSecurityGroups"),
    Operation("ecs", "DescribeServices", (_SERVICE,)),
    Operation("ecs", "DescribeTaskDefinition"),
    Operation("ecs", "DescribeTasks", (_TASK,)),
    Operation(
        "ecs",
        "ExecuteCommand",
        (_CLUSTER, _TASK),
        reads=False,
        why="the way into a task: it starts the probe, which only reads",
    ),
    Operation("ecs", "ListServiceDeployments", (_SERVICE,)),
    Operation("ecs", "ListTaskDefinitions"),
    Operation("ecs", "ListTasks"),
    Operation("elbv2", "DescribeListeners"),
    Operation("elbv2", "DescribeLoadBalancerAttributes"),
    Operation("elbv2", "DescribeLoadBalancers"),
    Operation("elbv2", "DescribeRules"),
    Operation("elbv2", "DescribeTargetGroups"),
    Operation("elbv2", "DescribeTargetHealth"),
    Operation("logs", "FilterLogEvents", ("arn:aws:logs:*:*:log-group:*",)),
    Operation("rds", "DescribeDBInstances", (_DATABASE,)),
    Operation("rds", "DescribeDBLogFiles", (_DATABASE,)),
    Operation("rds", "DownloadDBLogFilePortion", (_DATABASE,)),
    Operation("s3", "GetObject", ("arn:aws:s3:::*/AWSLogs/*",)),
    Operation("s3", "ListObjectsV2", _LOGS, action="s3:ListBucket"),
    Operation("secretsmanager", "DescribeSecret", (_WIRED,)),
    Operation("servicediscovery", "ListInstances"),
    Operation("servicediscovery", "ListNamespaces"),
    Operation("servicediscovery", "ListServices"),
    Operation("sts", "GetCallerIdentity", why="everybody may ask who they are"),
)
# For 'make init' alone: whoever sets a stage up. A run does without them, and so does its policy.
FOR_INIT = (
    Operation("ecs", "ListClusters"),
    Operation("ecs", "ListServices"),
    Operation("secretsmanager", "ListSecrets"),
)
_BY_NAME = {(each.service, each.name): each for each in (*ALLOWED, *FOR_INIT)}


def find(service: str, name: str) -> Operation | None:
    """Return the operation if it is allowed; ``name`` as AWS (or boto3) spells it."""
    return _BY_NAME.get((service, name)) or _BY_METHOD.get((service, name))


def may(service: str, name: str) -> bool:
    """Whether an operation may be performed: one of the list, or what credentials need."""
    return find(service, name) is not None or (service, name) in AUTHENTICATION


def may_read(service: str, method: str) -> bool:
    """Whether boto3's method of a service is a read on the list."""
    found = find(service, method)
    return found is not None and found.reads


def _method(name: str) -> str:
    """Return boto3's name of the method: DescribeDBLogFiles is describe_db_log_files."""
    words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name)
    return words.lower()


_BY_METHOD = {(each.service, _method(each.name)): each for each in _BY_NAME.values()}


def policy(environments: list[tuple[Aws, str | None]]) -> dict[str, object]:
    """Return the least IAM policy for these environments (names, and the database's instance)."""
    by_resource: dict[tuple[str, ...], list[str]] = {}
    for operation in ALLOWED:
        resources = sorted(
            {
                resource.format(cluster=aws.cluster, secret=aws.secret, database=database or "*")
                for resource in operation.resources
                for aws, database in environments
            }
        )
        by_resource.setdefault(tuple(resources), []).append(operation.permission)
    return {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": sorted(actions), "Resource": list(resources)}
            for resources, actions in sorted(by_resource.items())
        ],
    }
