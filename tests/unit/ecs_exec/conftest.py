"""A task to enter: ECS as a stub that only chooses, the lab's gateway, and real processes."""

from __future__ import annotations

import datetime
import os
import shlex
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.ecs_exec import EcsExec
from lab.exec_agent import Gateway, Order, Orders

STARTED = datetime.datetime(2025, 8, 6, tzinfo=datetime.UTC)


def task(name: str, **changes: Any) -> dict[str, Any]:
    """A running task as DescribeTasks tells it."""
    described: dict[str, Any] = {
        "taskArn": f"arn:aws:ecs:eu-west-1:000000000000:task/shop/{name}",
        "lastStatus": "RUNNING",
        "startedAt": STARTED,
        "enableExecuteCommand": True,
        "containers": [{"name": "web"}],
    }
    return described | changes


class Ecs:
    """boto3's client of ECS, as far as it is asked."""

    def __init__(self, tasks: list[dict[str, Any]], execute: Callable[..., dict[str, Any]]) -> None:
        self.tasks, self._execute = tasks, execute
        self.asked: list[dict[str, Any]] = []

    def list_tasks(self, **_: Any) -> dict[str, Any]:
        return {"taskArns": [each["taskArn"] for each in self.tasks]}

    def describe_tasks(self, *, tasks: list[str], **_: Any) -> dict[str, Any]:
        wanted = {each.rpartition("/")[2] for each in tasks}
        return {"tasks": [t for t in self.tasks if t["taskArn"].rpartition("/")[2] in wanted]}

    def execute_command(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        return {"session": self._execute(**asked)}


class Container:
    """What a session finds: programs of this machine, and no more."""

    def __init__(self, gateway: Gateway, orders: Orders, folder: Path) -> None:
        self._gateway, self._orders, self._folder = gateway, orders, folder
        self.missing: frozenset[str] = frozenset()
        self.kms_key: str | None = None
        self.variables = {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "HOME": "/"}
        self.session = ""

    def execute(self, *, command: str, **_: Any) -> dict[str, str]:
        order = Order(
            task="task",
            command=command,
            argv=shlex.split(command),
            environment=self.variables,
            folder=self._folder,
            missing=self.missing,
            kms_key=self.kms_key,
        )
        self._orders.add(order)
        self.session = order.session
        url = self._gateway.url(order.session)
        return {"sessionId": order.session, "streamUrl": url, "tokenValue": order.token}


@pytest.fixture(scope="session")
def orders() -> Orders:
    return Orders()


@pytest.fixture(scope="session")
def gateway(orders: Orders) -> Iterator[Gateway]:
    gateway = Gateway("127.250.0.9", 0, orders)
    gateway.start()
    yield gateway
    gateway.close()


@pytest.fixture
def container(gateway: Gateway, orders: Orders, tmp_path: Path) -> Container:
    return Container(gateway, orders, tmp_path)


@pytest.fixture
def ecs(container: Container) -> Ecs:
    return Ecs([task("a1")], container.execute)


@pytest.fixture
def web(ecs: Ecs) -> EcsExec:
    return EcsExec(ecs, "shop", "web", "web")


def children_marked(mark: str) -> list[int]:
    """The processes whose environment or arguments have ``mark``."""
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (place / "environ").read_bytes() and place.name != str(os.getpid()):
                found.append(int(place.name))
        except OSError:
            continue
    return found
