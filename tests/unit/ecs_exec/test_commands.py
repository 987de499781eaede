"""Commands in a task: real shells on real terminals, behind the lab's gateway."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness.ecs_exec import EcsExec, EcsExecError
from harness.ecs_exec.errors import (
    ConnectionLostError,
    DeadlineError,
    EncryptionUnsupportedError,
    NoShellError,
    OutputTooLargeError,
)
from harness.ecs_exec.framing import Answer
from tests.unit.ecs_exec.conftest import Container, Ecs, children_marked


def gone(mark: str, within: float = 5.0) -> bool:
    until = time.monotonic() + within
    while children_marked(mark) and time.monotonic() < until:
        time.sleep(0.01)
    return not children_marked(mark)


def test_output_errors_and_exit_code_are_told_apart(web: EcsExec) -> None:
    assert web.run("echo out; echo err >&2; exit 7") == Answer(7, b"out\n", b"err\n")


@pytest.mark.parametrize("code", [0, 1, 2, 126, 127, 128, 130, 254, 255])
def test_the_exit_code_is_the_commands(web: EcsExec, code: int) -> None:
    assert web.run(f"exit {code}").status == code


def test_every_exit_code_arrives(web: EcsExec) -> None:
    script = "i=0; while [ $i -lt 256 ]; do (exit $i); echo $?; i=$((i+1)); done"
    assert web.run(script).stdout.split() == [str(code).encode() for code in range(256)]


def test_a_command_killed_by_a_signal_has_its_code(web: EcsExec) -> None:
    assert web.run("kill -9 $$").status == 137


def test_binary_output_arrives_as_it_is(web: EcsExec) -> None:
    every = bytes(range(256)) * 8
    octal = "".join(f"\\{byte:03o}" for byte in range(256))
    answer = web.run(f"for i in 1 2 3 4 5 6 7 8; do printf '{octal}'; done | tee /dev/stderr")
    assert (answer.stdout, answer.stderr) == (every, every)


@pytest.mark.parametrize("stdin", [b"", b"x", b"a\r\nb\x03\x04\x1a\x00\xff", b"\n" * 5000])
def test_standard_input_arrives_as_it_is(web: EcsExec, stdin: bytes) -> None:
    assert web.run("cat", stdin).stdout == stdin


def test_long_input_arrives_whole(web: EcsExec) -> None:
    stdin = os.urandom(200_000)
    assert web.run("cat", stdin, deadline=30).stdout == stdin


def test_a_long_command_is_typed(web: EcsExec, ecs: Ecs) -> None:
    text = "x" * 20_000
    assert web.run(f"cat; echo {text}", b"fed ").stdout == f"fed {text}\n".encode()
    assert len(ecs.asked[0]["command"]) < 4096


def test_without_input_a_command_reads_nothing(web: EcsExec) -> None:
    assert web.run("cat", deadline=5).stdout == b""


def test_quotes_dollars_and_line_ends_stay(web: EcsExec) -> None:
    assert (
        web.run("""printf %s 'a"b'"'"'$HOME'; printf '\\n`x`\n'""").stdout == b"a\"b'$HOME\n`x`\n"
    )


def test_words_beyond_ascii_stay(web: EcsExec) -> None:
    assert web.run("echo 北斎").stdout.decode() == "北斎\n"


def test_a_mebibyte_arrives_whole(web: EcsExec) -> None:
    script = "head -c 1048576 /dev/zero | tr '\\0' 'k'"
    assert web.run(script, deadline=60).stdout == b"k" * 1_048_576


def test_twenty_at_once_do_not_mix(web: EcsExec) -> None:
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: web.run(f"echo {n}; exit {n}"), range(20)))
    assert [(a.status, a.stdout) for a in answers] == [(n, b"%d\n" % n) for n in range(20)]


def test_a_hanging_command_ends_at_its_deadline(web: EcsExec, container: Container) -> None:
    begun = time.monotonic()
    with pytest.raises(DeadlineError, match="after 1 s"):
        web.run("sleep 60", deadline=1)
    assert time.monotonic() - begun < 4
    assert gone(container.session)


def test_a_command_that_ignores_interrupts_ends_too(web: EcsExec, container: Container) -> None:
    with pytest.raises(DeadlineError):
        web.run("trap '' INT HUP TERM; sleep 60; sleep 60", deadline=1)
    assert gone(container.session)


def test_no_thread_stays(web: EcsExec) -> None:
    before = set(threading.enumerate())
    web.run("true")
    with pytest.raises(DeadlineError):
        web.run("sleep 60", deadline=0.5)
    assert set(threading.enumerate()) == before


def test_too_much_output_is_refused(ecs: Ecs) -> None:
    small = EcsExec(ecs, "shop", "web", output_at_most=10_000)
    with pytest.raises(OutputTooLargeError):
        small.run("yes", deadline=20)


def test_an_image_without_a_shell_is_named(web: EcsExec, container: Container) -> None:
    container.missing = frozenset({"sh"})
    with pytest.raises(NoShellError, match="no shell"):
        web.run("true")


def test_an_image_without_base64_is_named(web: EcsExec, container: Container) -> None:
    container.variables["PATH"] = "/nowhere"
    container.missing = frozenset()
    with pytest.raises(EcsExecError):
        web.run("true")


def test_encryption_is_refused_with_the_remedy(web: EcsExec, container: Container) -> None:
    container.kms_key = "key"
    with pytest.raises(EncryptionUnsupportedError, match="session-manager-plugin"):
        web.run("true", deadline=10)


def test_a_token_is_good_once(web: EcsExec, ecs: Ecs, container: Container) -> None:
    web.run("true")
    ticket = container.execute(command="true")
    again = EcsExec(Ecs(ecs.tasks, lambda **_: ticket | {"tokenValue": "other"}), "shop", "web")
    with pytest.raises(ConnectionLostError) as caught:
        again.run("true", deadline=5)
    assert "other" not in str(caught.value).replace("another", "")


def test_a_session_in_which_the_task_is_chosen_once(web: EcsExec, ecs: Ecs) -> None:
    web.run("true")
    ecs.tasks.clear()
    assert web.run("echo still").stdout == b"still\n"
