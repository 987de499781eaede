"""The in-task probe through ECS Exec: with Python, without, and where no task can be entered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness import vantage
from harness.environment import Aws, Service
from harness.observation import DnsObservation, FailureKind
from harness.specs import DnsProbe
from harness.vantage import EcsWayIn
from tests.unit.ecs_exec.conftest import Container, Ecs

AWS = Aws(
    region="eu-west-1",
    cluster="shop",
    secret="s",
    secret_key="k",
    services={
        "web": Service(
            service="web", container="web", port=1, target_group="t", health=("/", "200")
        )
    },
)
PROBE = DnsProbe(vantage="task:web", name="localhost")


@pytest.fixture
def way_in(ecs: Ecs) -> EcsWayIn:
    return EcsWayIn(AWS, lambda: ecs)


def ask(way_in: EcsWayIn, service: str = "web") -> Any:
    (seen,) = vantage.ask(way_in, service, [PROBE])
    return seen


def test_the_probe_answers_in_one_session(way_in: EcsWayIn, ecs: Ecs) -> None:
    seen = ask(way_in)
    assert isinstance(seen, DnsObservation)
    assert "127.0.0.1" in seen.answers
    assert len(ecs.asked) == 1


def test_without_python_the_shell_answers(
    way_in: EcsWayIn, container: Container, tmp_path: Path
) -> None:
    tools = "sh base64 stty getent sed tr od env grep fold sleep cat printf awk cut sort mktemp rm"
    for name in tools.split():
        place = next(p / name for p in (Path("/bin"), Path("/usr/bin")) if (p / name).exists())
        (tmp_path / name).symlink_to(place)
    container.variables["PATH"] = str(tmp_path)
    seen = ask(way_in)
    assert seen.failure is None, seen.failure
    assert seen.answers


def test_without_a_shell_python_is_started_by_itself(
    way_in: EcsWayIn, container: Container
) -> None:
    container.missing = frozenset({"sh"})
    seen = ask(way_in)
    assert seen.failure is None, seen.failure
    assert "127.0.0.1" in seen.answers


def test_with_neither_shell_nor_python_the_image_is_named(
    way_in: EcsWayIn, container: Container
) -> None:
    container.missing = frozenset({"sh", "python3"})
    failure = ask(way_in).failure
    assert failure.kind == FailureKind.NO_VANTAGE_POINT
    assert "python3" in failure.message


def test_a_task_without_exec_is_no_vantage_point_and_says_how(way_in: EcsWayIn, ecs: Ecs) -> None:
    ecs.tasks[0]["enableExecuteCommand"] = False
    failure = ask(way_in).failure
    assert failure.kind == FailureKind.NO_VANTAGE_POINT
    assert "--enable-execute-command" in failure.remedy


def test_a_service_that_is_not_set_is_named(way_in: EcsWayIn) -> None:
    failure = ask(way_in, "shop").failure
    assert failure.kind == FailureKind.MISSING_SETTING
    assert "only web" in failure.message
