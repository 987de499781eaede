"""ECS Exec on a whole lab: what runs in a task is in the task, and what is left when the lab ends.

The blocked reasons are made as a person would make them: by AWS calls.
"""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from harness import in_task
from harness.in_task import shell
from lab import names, session
from lab.provision.identity import TASK_ROLE
from tests.unit.lab.agent_client import Client

SERVICES = {name: f"hokusai-{name}-development" for name in ("api", "auth", "mlflow")}
REGISTERED = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "requiresCompatibilities",
    "cpu",
    "memory",
)
LOGIN = {
    "kind": "postgres",
    "host": "${DB_HOST}",
    "port": "${DB_PORT:-5432}",
    "user": "${DB_USER:-postgres}",
    "database": "${DB_NAME}",
    "password": "${DB_PASSWORD}",
    "sslmode": "prefer",
    "deadline": 5.0,
}


class Lab:
    """A running lab, entered through AWS's API as anybody would."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self.ecs, self.iam = self.client("ecs"), self.client("iam")

    def client(self, service: str) -> Any:
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self._environment["AWS_ENDPOINT_URL"],
            region_name=self._environment["AWS_REGION"],
            aws_access_key_id=self._environment["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self._environment["AWS_SECRET_ACCESS_KEY"],
        )

    def open(self, service: str, *argv: str) -> Client:
        listed = self.ecs.list_tasks(cluster=names.CLUSTER, serviceName=SERVICES[service])
        answer = self.ecs.execute_command(
            cluster=names.CLUSTER,
            task=listed["taskArns"][0],
            command=shlex.join(argv),
            interactive=True,
        )
        return Client.open(answer["session"]["streamUrl"], answer["session"]["tokenValue"])

    def run(self, service: str, *argv: str) -> bytes:
        return self.open(service, *argv).finish()

    def ask(self, service: str, *questions: dict[str, Any]) -> list[dict[str, Any]]:
        document = json.dumps({"questions": [{"deadline": 3.0, **q} for q in questions]}).encode()
        printed = self.run(service, *in_task.command(document))
        found: list[dict[str, Any]] = json.loads(printed)["answers"]
        return found

    def refused(self, service: str) -> tuple[str, str]:
        with pytest.raises(ClientError) as refused:
            self.open(service, "true")
        error = refused.value.response["Error"]
        return error["Code"], error["Message"]

    def update(self, service: str, **changes: Any) -> None:
        wanted = {"cluster": names.CLUSTER, "service": SERVICES[service]}
        self.ecs.update_service(**wanted, **changes, forceNewDeployment=True)
        waiter = self.ecs.get_waiter("services_stable")
        quick = {"Delay": 1, "MaxAttempts": 30}
        waiter.wait(cluster=names.CLUSTER, services=[SERVICES[service]], WaiterConfig=quick)

    def deploy_image(self, service: str, tag: str) -> None:
        described = self.ecs.describe_task_definition(taskDefinition=SERVICES[service])
        definition = {key: described["taskDefinition"][key] for key in REGISTERED}
        container = definition["containerDefinitions"][0]
        container["image"] = container["image"].rpartition(":")[0] + f":{tag}"
        made = self.ecs.register_task_definition(**definition)["taskDefinition"]
        self.update(service, taskDefinition=made["taskDefinitionArn"])


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    with session.start("healthy") as started:
        yield Lab(started.environment)


@pytest.fixture(scope="module")
def broken() -> Iterator[Lab]:
    with session.start("incident-2025-08-06") as started:
        yield Lab(started.environment)


def test_a_command_has_the_tasks_environment_names_and_network(lab: Lab) -> None:
    script = "echo $DB_USER; getent hosts mlflow.hokusai.local; curl -s $MLFLOW_SERVER_URL/health"
    user, address, health = lab.run("api", "sh", "-c", script).decode().split("\r\n")
    assert (user, health) == ("mlflow", "OK")
    assert address.startswith("127.")


def test_the_probe_answers_in_one_session(lab: Lab) -> None:
    name = {"kind": "dns", "name": "mlflow.hokusai.local"}
    dns, tcp, login = lab.ask(
        "api", name, {"kind": "tcp", "host": "mlflow.hokusai.local", "port": "5000"}, LOGIN
    )
    assert (dns["rcode"], dns["ttl"]) == ("NOERROR", 10)
    assert "failure" not in tcp
    assert login["facts"]["current_user"] == "mlflow"


def test_the_documented_steps_give_the_documented_errors(broken: Lab) -> None:
    dns, http, login = broken.ask(
        "api",
        {"kind": "dns", "name": "mlflow.hokusai.local"},
        {"kind": "http", "url": "http://mlflow.hokusai.local:5000/health", "max_bytes": 1000},
        LOGIN,
    )
    assert (dns["failure"]["kind"], dns["rcode"]) == ("dns-nxdomain", "NXDOMAIN")
    assert http["failure"]["kind"] == "dns-nxdomain"
    assert 'FATAL:  password authentication failed for user "postgres"' in login["message"]
    told = broken.run("api", "curl", "http://mlflow.hokusai.local:5000/health")
    assert b"Could not resolve host: mlflow.hokusai.local" in told
    psql = 'PGPASSWORD=$DB_PASSWORD psql -h "$DB_HOST" -U postgres -d mlflow_db -c "select 1"'
    assert b'password authentication failed for user "postgres"' in broken.run(
        "api", "sh", "-c", psql
    )


def test_many_sessions_at_once_and_a_lot_of_output(lab: Lab) -> None:
    with ThreadPoolExecutor(20) as pool:
        found = pool.map(lambda n: lab.run("api", "sh", "-c", f"echo {n}; seq 1 500"), range(20))
    body = b"".join(b"%d\r\n" % n for n in range(1, 501))
    assert list(found) == [b"%d\r\n" % n + body for n in range(20)]
    large = lab.run("mlflow", "sh", "-c", "head -c 3932160 /dev/zero | base64 -w 0")
    assert large == b"A" * 5_242_880


def test_execute_command_can_be_switched_off_and_on(lab: Lab) -> None:
    lab.update("auth", enableExecuteCommand=False)
    code, message = lab.refused("auth")
    assert code == "InvalidParameterException"
    assert "execute command was not enabled when the task was run" in message
    lab.update("auth", enableExecuteCommand=True)
    assert lab.run("auth", "echo", "again") == b"again\r\n"


def test_an_agent_whose_role_may_not_connect_is_not_connected(lab: Lab) -> None:
    role = {"RoleName": TASK_ROLE, "PolicyName": "task"}
    policy = lab.iam.get_role_policy(**role)["PolicyDocument"]
    lab.iam.delete_role_policy(**role)
    try:
        assert lab.refused("api")[0] == "TargetNotConnectedException"
    finally:
        lab.iam.put_role_policy(**role, PolicyDocument=json.dumps(policy))
    assert lab.run("api", "echo", "again") == b"again\r\n"


def test_images_may_lack_a_python_or_a_shell(lab: Lab) -> None:
    questions = [
        {"kind": "dns", "name": "mlflow.hokusai.local", "deadline": 3.0},
        {"kind": "http", "url": "http://localhost:8000/health", "deadline": 3.0, "max_bytes": 999},
        {**LOGIN, "host": "db"},
    ]
    document = json.dumps({"questions": questions}).encode()
    lab.deploy_image("auth", "corrected-no-python")
    unable = lab.open("auth", "python3", "-V")
    unable.finish()
    assert unable.closed is not None
    assert '"python3": executable file not found' in unable.closed["Output"]
    printed = lab.run("auth", *shell.command(document))
    dns, http, login = json.loads(shell.answers(document, printed))["answers"]
    assert dns["answers"]
    assert http["status"] == 200
    assert login["failure"]["kind"] == "no-vantage-point"
    lab.deploy_image("auth", "corrected-distroless")
    unable = lab.open("auth", "sh", "-c", "true")
    unable.finish()
    assert unable.closed is not None
    assert '"sh": executable file not found' in unable.closed["Output"]
    (answer,) = lab.ask("auth", {"kind": "dns", "name": "mlflow.hokusai.local"})
    assert answer["answers"]
    lab.deploy_image("auth", "corrected")


def test_nothing_is_left_when_the_lab_ends() -> None:
    with session.start("healthy") as started:
        client = Lab(started.environment).open(
            "api", "sh", "-c", "(setsid sleep 4711 &); sleep 4712 & echo up; sleep 4713"
        )
        client.until(b"up")
        until = time.monotonic() + 10
        while len(sleeping()) < 3 and time.monotonic() < until:
            time.sleep(0.02)
        assert len(sleeping()) == 3
    client.socket.close()
    assert not sleeping()


def sleeping() -> set[bytes]:
    """The sleeps of the test above that are there."""
    found = set()
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = place.read_bytes().split(b"\0")
        except OSError:
            continue
        if words[0] == b"sleep" and words[1] in (b"4711", b"4712", b"4713"):
            found.add(words[1])
    return found
