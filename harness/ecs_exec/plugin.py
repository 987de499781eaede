"""The same session through AWS's own session-manager-plugin, where a setting asks for it.

It takes five arguments (session-manager-plugin, src/sessionmanagerplugin-main): the session as
ExecuteCommand answered it, the region, the operation, a profile, and the request. It wants a
terminal, so that it gets one.
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

from harness.ecs_exec.errors import ConnectionLostError, UnreachableError
from harness.ecs_exec.framing import Answer, Frame
from harness.ecs_exec.session import Clock, Ticket

CHUNK = 65_536
ENDED_WITHIN = 2.0


def converse(program: str, ticket: Ticket, region: str, frame: Frame, clock: Clock) -> Answer:
    """Run the ticket's command through ``program``. Raises EcsExecError."""
    with _started(program, ticket, region) as terminal:
        pending = frame.typed
        while not frame.complete():
            writing = [terminal] if pending and frame.asked() else []
            readable, writable, _ = select.select([terminal], writing, [], clock.left())
            if writable:
                pending = pending[os.write(terminal, pending[:512]) :]
            if readable:
                frame.take(_read(terminal, program, frame))
    return frame.answer()


def _read(terminal: int, program: str, frame: Frame) -> bytes:
    with contextlib.suppress(OSError):  # EIO: the plugin has ended
        if data := os.read(terminal, CHUNK):
            return data
    raise ConnectionLostError(f"{program} ended before the command: {frame.unframed()}")


@contextlib.contextmanager
def _started(program: str, ticket: Ticket, region: str) -> Iterator[int]:
    master, slave = pty.openpty()
    try:
        process = subprocess.Popen(
            [program, *_arguments(ticket, region)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
    except OSError as error:
        os.close(master)
        raise UnreachableError(
            f"{program} cannot be started: {error.strerror}",
            "install AWS's session-manager-plugin, or leave the setting out",
        ) from None
    finally:
        os.close(slave)
    try:
        yield master
    finally:
        _end(process)
        os.close(master)


def _arguments(ticket: Ticket, region: str) -> list[str]:
    session = {
        "SessionId": ticket.session,
        "StreamUrl": ticket.url,
        "TokenValue": ticket.token,
    }
    return [json.dumps(session), region, "StartSession", "", "{}"]


def _end(process: subprocess.Popen[bytes]) -> None:
    # It hands an interrupt on to the command; whatever is left of it then has to go.
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, ending)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(ENDED_WITHIN)
