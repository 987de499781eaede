"""The process beside pytest's, as pytest's process sees it: what it says, and when it has gone."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.apart.head_start import Started
from harness.apart.messages import Answer, Begin, Line, Told
from harness.apart.observer import Apart
from harness.errors import UsageError
from harness.reports.hands import Judged
from harness.specs import TcpProbe
from tests.unit.reports.test_allure_conclude import told


class Here:
    """Does what the other process has not done."""

    def __init__(self) -> None:
        self.concluded: list[Judged] = []

    def get_ready(self) -> None: ...

    def show(self, *_told: Any) -> None: ...

    def conclude(self, judged: Judged) -> Callable[[], None]:
        self.concluded.append(judged)
        return lambda: None


class Other:
    """The other end of the connection: what a test lets it say."""

    def __init__(self, connection: socket.socket) -> None:
        self.line = Line(connection)
        self._told = self.line.messages(Told)

    def next(self) -> Any:
        return next(self._told)

    def go(self) -> None:
        self.line.connection.close()


@pytest.fixture
def ends() -> Iterator[tuple[Apart, Other]]:
    here, there = socket.socketpair()
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        apart, other = Apart(Started(gone.pid, here)), Other(there)
        yield apart, other
        other.go()
        apart.close()


def test_why_nothing_can_be_asked_is_told_to_everybody_who_asks(
    ends: tuple[Apart, Other], tmp_path: Path
) -> None:
    apart, other = ends
    apart.begin(tmp_path, None, Here(), asks=True, writes=False)
    begin = other.next()
    assert isinstance(begin, Begin)
    other.line.send(Answer(begin.number, usage="no such file"))
    for port in ("1", "2"):
        with pytest.raises(UsageError, match="no such file"):
            apart.start([TcpProbe(host="a", port=port)])


def test_what_the_other_process_leaves_undone_is_done_here(
    ends: tuple[Apart, Other], tmp_path: Path
) -> None:
    apart, other = ends
    here = Here()
    apart.begin(tmp_path, None, here, asks=True, writes=False)
    settle = apart.conclude(told())
    assert here.concluded == []
    other.go()
    settle()
    assert here.concluded == [told()]


def test_who_has_gone_answers_with_an_observation(ends: tuple[Apart, Other]) -> None:
    apart, other = ends
    other.go()
    seen = apart.observation(TcpProbe(host="a", port="1"))
    assert seen.failure is not None
    assert "has ended" in seen.failure.message
    assert apart.pending() == []
