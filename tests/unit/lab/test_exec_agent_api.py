"""ExecuteCommand: who gets a session into which task, and how AWS words a refusal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from lab import names
from lab.aws.answer import AwsError
from lab.aws.backends import Backends
from lab.aws.call import Call
from lab.aws.hooks import Hooks
from lab.ecs.model import Deployment, Service, Settings, Task
from lab.exec_agent import ExecuteCommandApi, Orders

ALLOWED = {"Effect": "Allow", "Action": "ssmmessages:*", "Resource": "*"}
CONTAINER = {"name": "hokusai-api", "image": "1.dkr.ecr/hokusai/api:corrected", "memory": 512}

Ask = Callable[..., dict[str, Any]]


def inside(task: Task, argv: Sequence[str]) -> tuple[list[str], dict[str, str], Path]:
    return list(argv), {"DB_HOST": "db.test"}, Path("/")


class Platform:
    """A cluster with one service and one running task, and the operation on it."""

    def __init__(self) -> None:
        self.backends, self.orders = Backends(names.REGION), Orders()
        self.cluster = self.backends.ecs.create_cluster("exec-test")
        self.role = self.backends.iam.create_role("exec-test", "{}", "/", None, "", [], "3600")
        self.allow(ALLOWED)
        definition = self.backends.ecs.register_task_definition(
            "exec-test", [dict(CONTAINER)], task_role_arn=self.role.arn
        )
        self.task = Task(
            id="a" * 32,
            arn=self.cluster.arn.replace(":cluster/", ":task/") + "/" + "a" * 32,
            service="api",
            deployment="d",
            definition=definition.arn,
            container=dict(CONTAINER),
            targets=(),
            registries=(),
            execute_command=True,
            last_status="RUNNING",
            started_at=1.0,
        )
        deployment = Deployment("d", Settings("", {}, [], [], "LATEST"))
        service = Service("api", "arn", "exec-test", self.cluster.arn, 1, [deployment], {})
        service.tasks.append(self.task)
        self.hooks = Hooks()
        url = "ws://gateway/{}".format
        api = ExecuteCommandApi(self.backends, {"api": service}, self.orders, url, inside)
        api.install(self.hooks)

    def allow(self, *statements: dict[str, Any]) -> None:
        document = {"Version": "2012-10-17", "Statement": list(statements)}
        self.backends.iam.put_role_policy("exec-test", "task", json.dumps(document))

    def ask(self, **wanted: Any) -> dict[str, Any]:
        asked = {"cluster": "exec-test", "task": "a" * 32, "command": "true", "interactive": True}
        call = Call("ecs", "ExecuteCommand", "", "", "json", asked | wanted)
        answer = self.hooks.before(call)
        assert answer is not None
        document: dict[str, Any] = json.loads(answer.body)
        if answer.status != 200:
            raise AwsError(document["__type"], document["message"])
        return document

    def close(self) -> None:
        self.backends.ecs.delete_cluster("exec-test")
        self.backends.ecs.deregister_task_definition(self.task.definition)
        self.backends.iam.delete_role_policy("exec-test", "task")
        self.backends.iam.delete_role("exec-test")


@pytest.fixture
def platform() -> Iterator[Platform]:
    made = Platform()
    yield made
    made.close()


def test_a_session_is_ordered_for_the_task(platform: Platform) -> None:
    answer = platform.ask(command="sh -c 'echo \"a b\"'", container="hokusai-api")
    session = answer["session"]
    order = platform.orders.take(session["sessionId"], session["tokenValue"])
    assert order is not None
    assert order.argv == ["sh", "-c", 'echo "a b"']
    assert session["streamUrl"] == f"ws://gateway/{session['sessionId']}"
    assert answer["taskArn"] == platform.task.arn
    assert answer["containerArn"].startswith("arn:aws:ecs:us-east-1:")
    assert (answer["containerName"], answer["interactive"]) == ("hokusai-api", True)


def test_a_cluster_with_a_key_asks_for_encryption(platform: Platform) -> None:
    platform.cluster.configuration = {"executeCommandConfiguration": {"kmsKeyId": "alias/exec"}}
    session = platform.ask()["session"]
    order = platform.orders.take(session["sessionId"], session["tokenValue"])
    assert order is not None
    assert order.kms_key == "alias/exec"


@pytest.mark.parametrize(
    ("wanted", "code", "text"),
    [
        ({"cluster": "none"}, "ClusterNotFoundException", "Cluster not found"),
        ({"task": "b"}, "InvalidParameterException", r"task length should be one of \[32,36\]"),
        ({"task": "b" * 32}, "InvalidParameterException", "task was not found"),
        ({"container": "none"}, "InvalidParameterException", "container none was not found"),
        ({"interactive": False}, "InvalidParameterException", "Interactive is the only mode"),
        ({"command": " "}, "InvalidParameterException", "cannot be blank"),
        ({"command": "echo '"}, "InvalidParameterException", "cannot be read"),
    ],
)
def test_a_wrong_parameter_is_named(
    platform: Platform, wanted: dict[str, Any], code: str, text: str
) -> None:
    with pytest.raises(AwsError, match=text) as refused:
        platform.ask(**wanted)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("field", "value"),
    [("execute_command", False), ("last_status", "PENDING"), ("desired_status", "STOPPED")],
)
def test_a_task_without_a_running_agent_is_not_entered(
    platform: Platform, field: str, value: Any
) -> None:
    setattr(platform.task, field, value)
    with pytest.raises(AwsError, match="execute command was not enabled") as refused:
        platform.ask()
    assert refused.value.code == "InvalidParameterException"


@pytest.mark.parametrize("missing", ["policy", "one action", "writable root"])
def test_an_agent_that_cannot_connect_is_told_as_such(platform: Platform, missing: str) -> None:
    if missing == "writable root":
        platform.task.container["readonlyRootFilesystem"] = True
    else:
        allowed = {**ALLOWED, "Action": "s3:*"}
        denied = {**ALLOWED, "Effect": "Deny", "Action": "ssmmessages:OpenDataChannel"}
        platform.allow(*([allowed] if missing == "policy" else [ALLOWED, denied]))
    with pytest.raises(AwsError, match="internal error") as refused:
        platform.ask()
    assert refused.value.code == "TargetNotConnectedException"
