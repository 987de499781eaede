"""The lab's own socket: every question gets one line, whatever is wrong with it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.control import SOCKET, ControlSocket
from lab.inside import ask


def missing(_question: dict[str, Any]) -> dict[str, Any]:
    raise LookupError("there is no service 'x'")


def broken(_question: dict[str, Any]) -> dict[str, Any]:
    raise ZeroDivisionError("a defect")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    responders = {"echo": lambda question: question, "missing": missing, "broken": broken}
    server = ControlSocket(tmp_path, responders)
    server.start()
    yield tmp_path
    server.close()


def test_a_question_is_answered(folder: Path) -> None:
    question = {"ask": "echo", "text": "ä\n"}
    assert ask(folder, question) == question


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("missing", "there is no service 'x'"),
        ("broken", "ZeroDivisionError: a defect"),
        ("nobody", "nobody"),
    ],
)
def test_what_goes_wrong_is_told_in_the_answer(folder: Path, asked: str, told: str) -> None:
    assert ask(folder, {"ask": asked}) == {"error": told}


def test_nonsense_does_not_end_the_conversation(folder: Path) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(folder / SOCKET))
        client.sendall(b"nonsense\n[]\n" + json.dumps({"ask": "echo"}).encode() + b"\n")
        with client.makefile("rb") as lines:
            answers = [json.loads(lines.readline()) for _ in range(3)]
    assert ["error" in each for each in answers] == [True, True, False]


def test_a_lab_without_a_socket_does_not_run(tmp_path: Path) -> None:
    assert ask(tmp_path / "77", {"ask": "status"}) == {"error": "lab 77 does not run"}


def test_a_socket_that_nobody_serves_is_told(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / SOCKET))
    assert "the lab does not answer" in ask(tmp_path, {"ask": "status"})["error"]
