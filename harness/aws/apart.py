"""AWS asked from a process of its own: botocore takes a second of processor time in a run.

Forked before this process has threads, it imports and makes its clients while checks are collected
and other probes run: 0.4 of 3.2 s of a run on two cores.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from harness.audit import Audit
from harness.aws.client import Clients
from harness.observation import FailureKind
from harness.probes.stage import StageError

# Those that a run asks first, and that take longest to make.
EARLY = ("ecs", "ec2", "rds", "elbv2", "servicediscovery", "secretsmanager", "acm")
ENDED = "the process that asks AWS has ended"


class Question:
    """One call of a method of `Clients`, or of a client of a service (``service.method``)."""

    def __init__(self, method: str, positional: Sequence[Any], named: dict[str, Any]) -> None:
        self.method, self.positional, self.named = method, positional, named


class ClientsApart:
    """As `harness.aws.client.Clients`; safe to use from several threads."""

    def __init__(self, connection: Connection) -> None:
        """``connection`` leads to `serve`."""
        self._connection = connection
        self._numbers = itertools.count()
        self._waiting: dict[int, Future[Any]] = {}
        self._sending, self._ended = threading.Lock(), False
        threading.Thread(target=self._receive, name="aws", daemon=True).start()

    def read(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """See `Clients.read`."""
        found: dict[str, Any] = self.ask(Question("read", (service, operation), parameters))
        return found

    def read_body(self, service: str, operation: str, most: int, /, **parameters: Any) -> bytes:
        """See `Clients.read_body`."""
        return bytes(self.ask(Question("read_body", (service, operation, most), parameters)))

    def entering(self) -> Any:
        """See `Clients.entering`."""
        return _Ecs(self)

    def ask(self, question: Question) -> Any:
        """Return what the call returns, or raise what it raises."""
        answer: Future[Any] = Future()
        with self._sending:
            if self._ended:
                raise StageError(FailureKind.INTERNAL_ERROR, ENDED)
            number = next(self._numbers)
            self._waiting[number] = answer
            try:
                self._connection.send((number, question))
            except OSError:
                raise StageError(FailureKind.INTERNAL_ERROR, ENDED) from None
        # The calls have deadlines, and so has whoever waits for this one.
        return answer.result()

    def _receive(self) -> None:
        with contextlib.suppress(OSError, EOFError):
            while True:
                number, error, answer = self._connection.recv()
                waiting = self._waiting.pop(number)
                if error is not None:
                    waiting.set_exception(error)
                else:
                    waiting.set_result(answer)
        with self._sending:
            self._ended = True
        for waiting in self._waiting.values():
            waiting.set_exception(StageError(FailureKind.INTERNAL_ERROR, ENDED))


class _Ecs:
    """ECS's client, apart: its methods, and the exceptions of botocore that they raise."""

    def __init__(self, clients: ClientsApart) -> None:
        self._clients = clients

    def __getattr__(self, method: str) -> Any:
        return lambda **named: self._clients.ask(Question(f"ecs.{method}", (), named))


AnyClients = Clients | ClientsApart


@contextlib.contextmanager
def clients(region: str, timeout: float, audit: Audit | None = None) -> Iterator[AnyClients]:
    """Give clients in a process of their own; in this one if it has threads already."""
    # What another thread holds at a fork, nobody ever lets go of.
    if threading.active_count() > 1 or not hasattr(os, "fork"):
        yield Clients(region, timeout, audit)
        return
    here, there = Pipe()
    if (process := os.fork()) == 0:
        here.close()
        _be(there, Clients(region, timeout, audit))
    there.close()
    try:
        yield ClientsApart(here)
    finally:
        here.close()
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _be(connection: Connection, real: Clients) -> None:
    """Be the process: answer until there is nobody to answer, and never return."""
    try:
        # Ctrl-C goes to the whole group: what is under way is for the run to end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=_prepare, args=(real,), daemon=True).start()
        _serve(connection, real)
    finally:
        os._exit(0)


def _prepare(real: Clients) -> None:
    with contextlib.suppress(Exception):
        for service in EARLY:
            real.client(service)


def _serve(connection: Connection, real: Clients) -> None:
    sending = threading.Lock()

    def answer(number: int, question: Question) -> None:
        told: tuple[int, Exception | None, Any]
        try:
            told = (number, None, _call(real, question))
        except Exception as error:
            told = (number, error, None)
        with sending, contextlib.suppress(OSError):
            connection.send(told)

    with contextlib.suppress(EOFError, OSError):
        while True:
            number, question = connection.recv()
            threading.Thread(target=answer, args=(number, question), daemon=True).start()


def _call(real: Clients, question: Question) -> Any:
    service, dot, method = question.method.partition(".")
    if not dot:
        return getattr(real, question.method)(*question.positional, **question.named)
    found = getattr(real.client(service), method)(**question.named)
    found.pop("ResponseMetadata", None)
    return found
