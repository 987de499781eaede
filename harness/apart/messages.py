"""What the two processes tell each other: one JSON document a line, over a pair of sockets.

Nothing else can read it, so that variables, which may be secrets, go this way as well.

The modules that define what is told do without ``from __future__ import annotations``: msgspec
would compile each annotation from its text, in both processes of every run.
"""

import socket
import threading
from collections.abc import Iterator
from typing import Any

import msgspec

from harness.observation import AnyObservation, Failure
from harness.project import Project
from harness.reports.hands import Document, Judged
from harness.specs import AnyProbe
from harness.verdicts import CheckResult

READ_SIZE = 1 << 18


class Load(msgspec.Struct, tag=True):
    """These are the variables; the answer is `Loaded`."""

    number: int
    name: str
    variables: dict[str, str]


class Begin(msgspec.Struct, tag=True):
    """A run begins, with its record in ``folder``; the answer is empty.

    ``allure`` is the folder for Allure's results, if there are any. A replay does not ask.
    """

    number: int
    folder: str
    allure: str | None
    asks: bool
    writes: bool


class Loaded(msgspec.Struct):
    """The project with the environment that was asked for.

    ``folder`` is the run's, if that has begun already: what it asks was foreseen.
    """

    project: Project
    folder: str | None


class Start(msgspec.Struct, tag=True):
    """Ask these probes; each is told of as `Seen`."""

    probes: list[AnyProbe]


class Again(msgspec.Struct, tag=True):
    """Ask these once more; the answer is a list of observations."""

    number: int
    keys: list[str]


class Read(msgspec.Struct, tag=True):
    """Read from AWS; the answer is the response."""

    number: int
    service: str
    operation: str
    parameters: dict[str, Any]


class Show(msgspec.Struct, tag=True):
    """Write this result of Allure's. ``observed`` is what it saw that has not been seen here."""

    result: Document
    check: CheckResult | None
    observed: list[AnyObservation]


class Conclude(msgspec.Struct, tag=True):
    """Write what a run came to; the answer is empty."""

    number: int
    judged: Judged


Told = Load | Begin | Start | Again | Read | Show | Conclude


class Seen(msgspec.Struct, tag=True):
    """What a probe saw."""

    observation: AnyObservation


class Answer(msgspec.Struct, tag=True, omit_defaults=True):
    """What was asked for under ``number``, or why there is none.

    ``usage`` is what the user has to mend, ``error`` the number of an error of the operating
    system's, ``broken`` the place of a defect over there.
    """

    number: int
    value: Any = None
    failure: Failure | None = None
    usage: str = ""
    error: int = 0
    broken: str = ""


Heard = Seen | Answer


class Line:
    """One end of the connection. Safe to send to from several threads."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._sending = threading.Lock()

    def send(self, message: Told | Heard) -> None:
        """Send a message. Raises OSError if the other end has gone."""
        line = msgspec.json.encode(message) + b"\n"
        with self._sending:
            self.connection.sendall(line)

    def messages(self, kind: Any) -> Iterator[Any]:
        """Yield what the other end sends, as a ``kind``, until it has gone."""
        decoder, rest = msgspec.json.Decoder(kind), b""
        while True:
            try:
                data = self.connection.recv(READ_SIZE)
            except OSError:
                return
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield decoder.decode(line)
