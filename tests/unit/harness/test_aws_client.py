"""The AWS client: reads only, and every error says whose it is and what mends it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import botocore.endpoint
import pytest

from harness import audit
from harness.audit import Audit
from harness.aws.client import Clients
from harness.observation import Failure, FailureKind
from harness.probes.stage import StageError
from tests.unit.harness import servers

REGION = "us-east-1"


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-nobody")


@contextmanager
def aws(monkeypatch: pytest.MonkeyPatch, status: str, body: object) -> Iterator[list[bytes]]:
    """An AWS that answers everything so; yields the heads of the requests."""
    seen: list[bytes] = []
    answer = servers.http_answer(
        status, json.dumps(body).encode(), "content-type: application/x-amz-json-1.1"
    )
    with servers.serving(servers.answering(answer, seen)) as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        yield seen


def refusing(
    monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> AbstractContextManager[list[bytes]]:
    return aws(monkeypatch, "400 Bad Request", {"__type": code, "message": message})


def failure_of(service: str, operation: str) -> Failure:
    with pytest.raises(StageError) as told:
        Clients(REGION, 2.0).read(service, operation)
    return told.value.failure


@pytest.mark.parametrize(
    ("code", "kind", "remedy"),
    [
        ("ExpiredTokenException", FailureKind.MISSING_CREDENTIAL, "sign in again"),
        ("UnrecognizedClientException", FailureKind.MISSING_CREDENTIAL, "AWS_PROFILE"),
        ("AccessDeniedException", FailureKind.NOT_PERMITTED, "allow ecs:ListTasks"),
        ("RequestTimeTooSkewed", FailureKind.MISSING_CREDENTIAL, "set this machine's clock"),
        ("ThrottlingException", FailureKind.BUDGET_EXHAUSTED, "again in a minute"),
        ("ServerException", FailureKind.RUNNER_OFFLINE, "again in a minute"),
    ],
)
def test_what_is_the_runners_own_lack_says_what_mends_it(
    monkeypatch: pytest.MonkeyPatch, code: str, kind: FailureKind, remedy: str
) -> None:
    with refusing(monkeypatch, code, "said by AWS"):
        failure = failure_of("ecs", "list_tasks")
    assert (failure.kind, failure.unjudgeable) == (kind, True)
    assert remedy in str(failure.remedy)
    assert "ecs:ListTasks" in failure.message
    assert "said by AWS" in failure.message


def test_what_aws_says_of_the_platform_is_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    with refusing(monkeypatch, "ClusterNotFoundException", "Cluster not found."):
        failure = failure_of("ecs", "list_tasks")
    assert (failure.kind, failure.unjudgeable) == (FailureKind.AWS_ERROR, False)
    assert "ClusterNotFoundException: Cluster not found." in failure.message


def test_an_endpoint_that_cannot_be_reached_is_the_runners_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{servers.unused_port()}")
    failure = failure_of("ecs", "list_tasks")
    assert (failure.kind, failure.unjudgeable) == (FailureKind.RUNNER_OFFLINE, True)


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("ecs", "update_service"),
        ("secretsmanager", "get_secret_value"),
        ("ssm", "get_parameter"),
        ("ecs", "execute_command"),
    ],
)
def test_what_changes_something_or_gives_secrets_away_is_never_sent(
    monkeypatch: pytest.MonkeyPatch, service: str, operation: str
) -> None:
    with aws(monkeypatch, "200 OK", {}) as seen:
        assert failure_of(service, operation).kind is FailureKind.NOT_PERMITTED
    assert seen == []


def test_an_answer_comes_as_plain_values(monkeypatch: pytest.MonkeyPatch) -> None:
    service = {"serviceName": "api", "createdAt": 1754438400.25}
    with aws(monkeypatch, "200 OK", {"services": [service], "failures": []}):
        read = Clients(REGION, 2.0).read("ecs", "describe_services", services=["api"])
    assert read == {"services": [service], "failures": []}


def test_a_client_is_made_while_the_environment_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients are made while checks run, and pytest sets and removes a variable for each check.

    The race itself cannot be had at will, so its outcome is put where it was seen.
    """
    lost = ["PYTEST_CURRENT_TEST"]
    real = botocore.endpoint.get_environ_proxies

    def going_through_the_environment(url: str) -> dict[str, str]:
        if lost:
            raise KeyError(lost.pop())
        found: dict[str, str] = real(url)
        return found

    monkeypatch.setattr(botocore.endpoint, "get_environ_proxies", going_through_the_environment)
    assert Clients(REGION, 1.0).client("sts").meta.service_model.service_name == "sts"
    assert not lost


def test_the_guard_holds_for_clients_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    recorded = Audit(tmp_path / "audit.jsonl")
    with aws(monkeypatch, "200 OK", {"taskArns": []}) as seen:
        clients = Clients(REGION, 2.0, recorded)
        with pytest.raises(StageError, match="ecs:UpdateService is not on the list"):
            clients.client("ecs").update_service(service="api", desiredCount=0)
        with pytest.raises(StageError, match="secretsmanager:GetSecretValue is not on the list"):
            clients.client("secretsmanager").get_secret_value(SecretId="app")
        assert seen == []
        clients.read("ecs", "list_tasks")
        assert len(seen) == 1
    recorded.close()
    entries = [(e.what, e.performed) for e in audit.read(tmp_path / "audit.jsonl")]
    assert entries == [
        ("ecs:UpdateService", False),
        ("secretsmanager:GetSecretValue", False),
        ("ecs:ListTasks", True),
    ]
