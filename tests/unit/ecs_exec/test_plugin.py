"""AWS's plugin instead of the own WebSocket: a stand-in takes what the plugin is given."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.ecs_exec import Answer, EcsExec
from harness.ecs_exec.errors import ConnectionLostError, DeadlineError, UnreachableError
from tests.unit.ecs_exec.conftest import Ecs

ROOT = Path(__file__).parents[3]
STAND_IN = """\
    #!{python}
    import json, os, sys, termios, threading, tty
    sys.path.insert(0, {root!r})
    from tests.unit.lab.agent_client import Client
    from websockets.exceptions import ConnectionClosed

    name, region, operation, profile, request = sys.argv[1:]
    assert (region, operation, profile) == ("eu-west-1", "StartSession", "")
    assert json.loads(request)["Target"].startswith("ecs:shop_a1_")
    session = json.loads(os.environ[name])
    tty.setraw(0)
    print("Starting session with SessionId: " + session["SessionId"], end="\\r\\n", flush=True)
    client = Client.open(session["StreamUrl"], session["TokenValue"])

    def read():
        while data := os.read(0, 512):
            client.stream(data)

    shown = 0
    try:
        while client.closed is None:
            client.handle(client.receive())
            if client.output and not shown:
                threading.Thread(target=read, daemon=True).start()
            os.write(1, bytes(client.output[shown:]))
            shown = len(client.output)
    except ConnectionClosed:
        pass
    os._exit(0)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    made = tmp_path / "session-manager-plugin"
    made.write_text(textwrap.dedent(STAND_IN).format(python=sys.executable, root=str(ROOT)))
    made.chmod(0o755)
    return made


@pytest.fixture
def through(ecs: Ecs, program: Path, monkeypatch: pytest.MonkeyPatch) -> EcsExec:
    monkeypatch.setattr(ecs, "meta", SimpleNamespace(region_name="eu-west-1"), raising=False)
    return EcsExec(ecs, "shop", "web", plugin=str(program))


def test_a_command_has_the_same_answer(through: EcsExec) -> None:
    answer = through.run("cat; echo err >&2; exit 3", b"in\x00", deadline=20)
    assert answer == Answer(3, b"in\x00", b"err\n")


def test_a_hanging_command_ends_at_its_deadline(through: EcsExec) -> None:
    with pytest.raises(DeadlineError):
        through.run("sleep 60", deadline=2)


def test_a_plugin_that_ends_is_told(through: EcsExec, program: Path) -> None:
    program.write_text("#!/bin/sh\necho it is broken\nexit 1\n")
    with pytest.raises(ConnectionLostError, match="it is broken"):
        through.run("true", deadline=10)


def test_a_plugin_that_is_not_there_is_told(through: EcsExec, program: Path) -> None:
    program.unlink()
    with pytest.raises(UnreachableError, match="No such file"):
        through.run("true", deadline=10)
