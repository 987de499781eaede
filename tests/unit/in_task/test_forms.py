"""The forms in which the in-task probe is sent: as one command, and typed at a small one."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from typing import Any

import pytest

from harness import in_task

DOCUMENT = b'{"questions": [{"kind": "variables", "names": ["COLOUR"], "deadline": 1}]}'
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "COLOUR": "gr\u00fcn"}


def answered(printed: bytes) -> Any:
    (answer,) = json.loads(printed)["answers"]
    return answer["variables"]


def test_the_whole_source_reads_its_questions_from_standard_input() -> None:
    command = [sys.executable, "-I", "-c", in_task.source()]
    done = subprocess.run(
        command, input=DOCUMENT, env=ENVIRONMENT, capture_output=True, timeout=20, check=True
    )
    assert answered(done.stdout) == [{"name": "COLOUR", "present": True, "value": "gr\u00fcn"}]


def test_one_command_asks_and_answers_without_a_shell_or_input() -> None:
    command = in_task.command(DOCUMENT, sys.executable)
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, env=ENVIRONMENT, capture_output=True, check=True
    )
    assert answered(done.stdout)[0]["value"] == "gr\u00fcn"


def test_the_command_is_one_line_that_every_kind_of_quoting_leaves_alone() -> None:
    (_, _, program) = in_task.command(DOCUMENT)
    assert program.isascii()
    assert not {"'", "\\", "\n", "\0"} & set(program)
    written = shlex.join(in_task.command(DOCUMENT))
    assert shlex.split(written) == in_task.command(DOCUMENT)
    assert len(written) < in_task.LONGEST_COMMAND


def test_no_line_that_is_typed_is_too_long_for_a_terminal() -> None:
    typed = list(in_task.lines(DOCUMENT))
    assert typed[-1] == b".\n"
    assert max(map(len, typed)) < 4095
    assert len(shlex.join(in_task.bootstrap())) < 500


def test_typed_at_a_terminal_it_answers_the_same() -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        in_task.bootstrap(sys.executable),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    os.close(theirs)
    assert until(ours, b"ready\r\n").endswith(b"ready\r\n")
    for line in in_task.lines(DOCUMENT):
        os.write(ours, line)
    printed = until(ours, None)
    assert process.wait(10) == 0
    os.close(ours)
    assert answered(printed)[0]["value"] == "gr\u00fcn"


def until(terminal: int, end: bytes | None) -> bytes:
    """What a terminal shows, up to `end` or the end."""
    found = b""
    try:
        while end is None or end not in found:
            found += os.read(terminal, 4096)
    except OSError:
        assert end is None, found
    return found


@pytest.mark.parametrize("size", [0, 5_000])
def test_questions_of_any_length_fit(size: int) -> None:
    name = "N" * size
    document = json.dumps({"questions": [{"kind": "variables", "names": [name], "deadline": 1}]})
    command = in_task.command(document.encode(), sys.executable)
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, check=True)
    assert answered(done.stdout)[0]["name"] == name
