"""Target health, from real checks, in the words of DescribeTargetHealth."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lab.edge import Edge
from lab.edge.model import Target
from tests.unit.lab.edge_bench import (
    CHECK,
    FORWARD,
    GROUP,
    PACE,
    Control,
    Echo,
    ask,
    echo_target,
    until,
)

ADDRESS, TARGET = "127.250.12.1", "127.250.12.2"


@pytest.fixture
def control() -> Control:
    made = Control()
    made.listen(ADDRESS, default=FORWARD)
    return made


@pytest.fixture
def edge(control: Control, tmp_path: Path) -> Iterator[Edge]:
    running = Edge(control, access_log=tmp_path / "access.log", pace=PACE)
    running.start()
    yield running
    running.stop()


class Sick(Echo):
    health_status = 503


def seen(edge: Edge) -> list[tuple[str, str | None]]:
    return [(each.state, each.reason) for each in edge.target_health(GROUP)]


HEALTHY = [("healthy", None)]


def test_a_target_is_initial_until_its_first_check_passed(tmp_path: Path, control: Control) -> None:
    control.register(Target(TARGET, 8001))
    edge = Edge(control, access_log=tmp_path / "log", pace=replace(PACE, registration=60))
    assert seen(edge) == [("unused", "Target.NotInUse")]
    edge.start()
    try:
        until(lambda: seen(edge) == [("initial", "Elb.InitialHealthChecking")])
        with echo_target(TARGET):
            until(lambda: seen(edge) == HEALTHY)
    finally:
        edge.stop()


def test_a_wrong_status_is_named(control: Control, edge: Edge) -> None:
    with echo_target(TARGET, handler=Sick) as target:
        control.register(target)
        until(lambda: seen(edge) == [("unhealthy", "Target.ResponseCodeMismatch")])
        assert edge.target_health(GROUP)[0].description == (
            "Health checks failed with these codes: [503]"
        )


@pytest.mark.parametrize("matcher", ["503", "200,503", "500-599"])
def test_the_matcher_decides_what_is_healthy(control: Control, edge: Edge, matcher: str) -> None:
    with echo_target(TARGET, handler=Sick) as target:
        control.register(target, check=replace(CHECK, matcher=matcher))
        until(lambda: seen(edge) == HEALTHY)


def test_a_refusing_target_failed_its_checks(control: Control, edge: Edge) -> None:
    control.register(Target(TARGET, 8001))
    until(lambda: seen(edge) == [("unhealthy", "Target.FailedHealthChecks")])


def test_a_silent_target_timed_out(control: Control, edge: Edge) -> None:
    with socket.create_server((TARGET, 8001)):
        control.register(Target(TARGET, 8001))
        until(lambda: seen(edge) == [("unhealthy", "Target.Timeout")])


def test_a_closed_security_group_makes_a_target_time_out_and_opening_it_heals(
    control: Control, edge: Edge
) -> None:
    with echo_target(TARGET) as target:
        control.register(target)
        until(lambda: seen(edge) == HEALTHY)
        control.blocked.add(8001)
        until(lambda: seen(edge) == [("unhealthy", "Target.Timeout")])
        control.blocked.clear()
        until(lambda: seen(edge) == HEALTHY)


def test_when_every_target_is_unhealthy_all_get_requests(control: Control, edge: Edge) -> None:
    with echo_target(TARGET, handler=Sick) as target:
        control.register(target)
        until(lambda: seen(edge)[0][0] == "unhealthy")
        assert ask(ADDRESS, "/api").status == 200


def test_an_unhealthy_target_gets_none_while_another_is_healthy(
    control: Control, edge: Edge
) -> None:
    other = "127.250.12.3"
    with echo_target(TARGET, handler=Sick) as sick, echo_target(other) as well:
        control.register(sick, well)
        until(lambda: {state for state, _ in seen(edge)} == {"healthy", "unhealthy"})
        assert {ask(ADDRESS).json()["at"] for _ in range(6)} == {other}


def test_a_deregistered_target_drains_and_is_gone(control: Control, edge: Edge) -> None:
    with echo_target(TARGET) as target:
        control.register(target)
        until(lambda: seen(edge) == HEALTHY)
        control.register()
        edge.sync()
        assert seen(edge) == [("draining", "Target.DeregistrationInProgress")]
        until(lambda: seen(edge) == [])


def test_a_group_that_no_rule_uses_is_not_checked(control: Control, edge: Edge) -> None:
    with echo_target(TARGET) as target:
        control.register(target)
        until(lambda: seen(edge) == HEALTHY)
        control.listen(ADDRESS)
        edge.sync()
        assert seen(edge) == [("unused", "Target.NotInUse")]


def test_an_unknown_group_has_no_targets(edge: Edge) -> None:
    assert edge.target_health("arn:unknown") == ()
