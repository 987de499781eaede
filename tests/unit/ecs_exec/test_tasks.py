"""Which task is entered, and what is said where none can be."""

from __future__ import annotations

import datetime
from typing import Any, NoReturn

import pytest
from botocore import exceptions as aws

from harness.ecs_exec import EcsExec, errors
from tests.unit.ecs_exec.conftest import STARTED, Ecs, task


def refused(code: str, text: str = "") -> Any:
    def execute(**_: Any) -> NoReturn:
        raise aws.ClientError({"Error": {"Code": code, "Message": text}}, "ExecuteCommand")

    return execute


def entering(*tasks: dict[str, Any], execute: Any = None, **options: Any) -> EcsExec:
    return EcsExec(Ecs(list(tasks), execute or refused("never")), "shop", "web", **options)


def test_the_newest_running_task_is_chosen() -> None:
    later = STARTED + datetime.timedelta(hours=1)
    stopping = task("c3", lastStatus="DEPROVISIONING", startedAt=later + datetime.timedelta(1))
    chosen = entering(task("a1"), task("b2", startedAt=later), stopping).target
    assert chosen.task.endswith("/b2")


def test_during_a_roll_out_a_task_with_exec_is_preferred() -> None:
    later = STARTED + datetime.timedelta(hours=1)
    newer = task("b2", startedAt=later, enableExecuteCommand=False)
    assert entering(task("a1"), newer).target.task.endswith("/a1")


def test_a_given_task_is_entered() -> None:
    assert entering(task("a1"), task("b2"), task="a1").target.task.endswith("/a1")


@pytest.mark.parametrize(
    ("tasks", "options", "error", "said"),
    [
        ([], {}, errors.NoRunningTaskError, "service web has no running task"),
        ([task("a1", lastStatus="PENDING")], {}, errors.NoRunningTaskError, "PENDING"),
        ([task("a1")], {"task": "z9"}, errors.NoRunningTaskError, "z9"),
        ([task("a1", enableExecuteCommand=False)], {}, errors.ExecDisabledError, "--enable-exec"),
        ([task("a1")], {"container": "wbe"}, errors.WrongContainerError, "it has web"),
        (
            [task("a1", containers=[{"name": "web"}, {"name": "log"}])],
            {},
            errors.WrongContainerError,
            "several containers: web, log",
        ),
    ],
)
def test_a_task_that_cannot_be_entered(
    tasks: list[dict[str, Any]], options: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        entering(*tasks, **options).run("true")


DENIED = (
    "User: arn:aws:iam::000000000000:user/ann is not authorized to perform: ecs:ExecuteCommand "
    "on resource: arn:aws:ecs:eu-west-1:000000000000:task/shop/a1"
)
NOT_ENABLED = (
    "The execute command failed because execute command was not enabled when the task was run or "
    "the execute command agent isn't running."
)


@pytest.mark.parametrize(
    ("code", "text", "error", "remedy"),
    [
        ("AccessDeniedException", DENIED, errors.NotPermittedError, "allow ecs:ExecuteCommand"),
        ("TargetNotConnectedException", "x", errors.AgentNotConnectedError, "CreateControlChannel"),
        ("InvalidParameterException", NOT_ENABLED, errors.ExecDisabledError, "--enable-execute"),
        (
            "InvalidParameterException",
            "The container x was not found in the task.",
            errors.WrongContainerError,
            "name",
        ),
        (
            "InvalidParameterException",
            "The referenced task was not found.",
            errors.NoRunningTaskError,
            "",
        ),
        (
            "InvalidSignatureException",
            "Signature expired: 20250806T000000Z is now earlier than 20250806T001000Z",
            errors.ClockSkewError,
            "clock",
        ),
        ("InvalidSignatureException", "does not match", errors.CredentialsError, "AWS_PROFILE"),
        ("ExpiredTokenException", "expired", errors.CredentialsError, "AWS_PROFILE"),
        ("ClusterNotFoundException", "x", errors.ServiceNotFoundError, "region"),
        ("ThrottlingException", "Rate exceeded", errors.AwsError, "AWS"),
    ],
)
def test_a_refusal_by_aws_has_its_remedy(
    code: str, text: str, error: type[errors.EcsExecError], remedy: str
) -> None:
    with pytest.raises(error) as caught:
        entering(task("a1"), execute=refused(code, text)).run("true")
    assert type(caught.value) is error
    assert remedy in caught.value.remedy
    assert text in caught.value.message


def test_a_missing_permission_is_named() -> None:
    with pytest.raises(errors.NotPermittedError) as caught:
        entering(task("a1"), execute=refused("AccessDeniedException", DENIED)).run("true")
    assert caught.value.action == "ecs:ExecuteCommand"


@pytest.mark.parametrize(
    ("raised", "error"),
    [
        (aws.NoCredentialsError(), errors.CredentialsError),
        (aws.EndpointConnectionError(endpoint_url="http://x"), errors.UnreachableError),
    ],
)
def test_no_credentials_and_no_network(raised: Exception, error: type[Exception]) -> None:
    def execute(**_: Any) -> NoReturn:
        raise raised

    with pytest.raises(error):
        entering(task("a1"), execute=execute).run("true")
