"""The same session through AWS's own session-manager-plugin, where a setting asks for it.

Its arguments are those that the aws CLI gives it (awscli/customizations/sessionmanager.py): the
name of the variable that has the session, the region, the operation, a profile, and the request.
In arguments, which anybody on the machine can read, a token has no place: plugins
up to 1.2.497.0, which know no other way, are not used. It wants a terminal, so that it gets one.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from harness.ecs_exec.errors import ConnectionLostError, UnreachableError
from harness.ecs_exec.framing import Answer, Frame
from harness.ecs_exec.session import Clock, Ticket

CHUNK = 65_536
ENDED_WITHIN = 2.0
VARIABLE = "AWS_SSM_START_SESSION_RESPONSE"


@dataclass(frozen=True, slots=True)
class Plugin:
    """Which session-manager-plugin is used, for which region, and for which target."""

    program: str
    region: str
    target: str


def converse(plugin: Plugin, ticket: Ticket, frame: Frame, clock: Clock) -> Answer:
    """Run the ticket's command through ``plugin``. Raises EcsExecError."""
    with _started(plugin, ticket) as terminal:
        pending = frame.typed
        while not frame.complete():
            writing = [terminal] if pending and frame.asked() else []
            readable, writable, _ = select.select([terminal], writing, [], clock.left())
            if writable:
                pending = pending[os.write(terminal, pending[:512]) :]
            if readable:
                frame.take(_read(terminal, plugin.program, frame))
    return frame.answer()


def _read(terminal: int, program: str, frame: Frame) -> bytes:
    with contextlib.suppress(OSError):  # EIO: the plugin has ended
        if data := os.read(terminal, CHUNK):
            return data
    raise ConnectionLostError(f"{program} ended before the command: {frame.unframed()}")


@contextlib.contextmanager
def _started(plugin: Plugin, ticket: Ticket) -> Iterator[int]:
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            [plugin.program, VARIABLE, plugin.region, "StartSession", "", _request(plugin)],
            env={**os.environ, VARIABLE: _session(ticket)},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
    except OSError as error:
        os.close(master)
        raise UnreachableError(
            f"{plugin.program} cannot be started: {error.strerror}",
            "install AWS's session-manager-plugin, or leave the setting out",
        ) from None
    finally:
        os.close(slave)
    try:
        yield master
    finally:
        _end(process)
        os.close(master)


def _session(ticket: Ticket) -> str:
    return json.dumps(
        {"SessionId": ticket.session, "StreamUrl": ticket.url, "TokenValue": ticket.token}
    )


def _request(plugin: Plugin) -> str:
    # The target is what a session's KMS key is bound to.
    return json.dumps({"Target": plugin.target})


def _end(process: subprocess.Popen[bytes]) -> None:
    # It hands an interrupt on to the command; whatever is left of it then has to go.
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ENDED_WITHIN)
