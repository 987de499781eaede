"""The IAM policy is what the suite's own list of operations needs, and no more."""

from __future__ import annotations

import fnmatch
import json
import re
from pathlib import Path
from typing import Any

import botocore.session
import pytest

from harness.aws import iam_policy, operations
from harness.environment import Aws

ROOT = Path(__file__).parents[3]
POLICY: dict[str, Any] = json.loads((ROOT / "environments" / iam_policy.NAME).read_text())
WRITES = re.compile(r":(Create|Put|Update|Delete|Modify|Register|Deregister|Run|Stop|Start|Set)")


def test_the_file_is_the_list() -> None:
    written = (ROOT / "environments" / iam_policy.NAME).read_text()
    assert written == iam_policy.text(ROOT / "environments"), (
        "run: .venv/bin/python -m harness iam-policy"
    )


def test_nothing_is_allowed_that_changes_something_or_gives_a_secret_away() -> None:
    actions = [action for each in POLICY["Statement"] for action in each["Action"]]
    assert len(actions) == len(set(actions)) == len(operations.ALLOWED)
    for action in actions:
        assert not WRITES.search(action), action
        assert "*" not in action
    for secret in ("secretsmanager:GetSecretValue", "ssm:GetParameter", "kms:Decrypt"):
        assert not [action for action in actions if fnmatch.fnmatch(secret, action)]


def test_a_task_can_be_entered_in_the_environments_clusters_only() -> None:
    (entering,) = [e for e in POLICY["Statement"] if "ecs:ExecuteCommand" in e["Action"]]
    assert "*" not in entering["Resource"]
    assert all(arn.split(":")[5].split("/")[1] != "*" for arn in entering["Resource"])


@pytest.mark.parametrize("operation", operations.ALLOWED, ids=lambda each: each.name)
def test_each_operation_exists_and_is_found_as_boto3_spells_it(
    operation: operations.Operation,
) -> None:
    model = botocore.session.get_session().get_service_model(operation.service)
    assert operation.name in model.operation_names
    method = botocore.xform_name(operation.name)
    assert operations.find(operation.service, method) is operation


def test_names_of_each_environment_are_in_it() -> None:
    aws = Aws(region="r", cluster="one", services={}, secret="app/one", secret_key="key")
    document = json.dumps(operations.policy([(aws, "db-one")]))
    for arn in ("cluster/one", "task/one/*", "secret:app/one-*", "db:db-one"):
        assert arn in document
