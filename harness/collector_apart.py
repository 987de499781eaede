"""The collector in a process of its own, beside the one that imports, judges and reports.

Both are busy in Python, and one interpreter runs one thread at a time. Forked before there are
threads, the collector gets ready while checks are collected. What it saw comes over a pipe, one
JSON document a message; it ends, with what a journey made removed, when the pipe does.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

import msgspec

from harness.errors import UsageError
from harness.observation import AnyObservation, Failure, FailureKind, Observation
from harness.probes.blank import unanswered
from harness.specs import AnyProbe, Probe

if TYPE_CHECKING:
    from harness.collector import Collector

ENDED = "the process that asks the probes has ended"
# A journey that was broken off removes what it made, each step within the probes' deadline.
CLOSE_WITHIN_S = 60.0
Settled = Callable[[Observation], None]
Entering = Callable[[Settled], AbstractContextManager["Collector"]]


class _Asked(msgspec.Struct, omit_defaults=True):
    """To the collector's process. An empty message lets it end."""

    start: list[AnyProbe] = []
    again: list[str] = []
    number: int = 0


class _Told(msgspec.Struct, omit_defaults=True):
    """From it: an observation, the answers to ``again``, or why it cannot be used."""

    seen: AnyObservation | None = None
    answers: list[AnyObservation] = []
    number: int = 0
    problem: str = ""


class CollectorApart:
    """As `harness.collector.Collector`; safe to use from several threads."""

    def __init__(self, connection: Connection) -> None:
        """``connection`` leads to `_be`."""
        self._connection = connection
        self._futures: dict[str, Future[Observation]] = {}
        self._probes: dict[str, Probe] = {}
        self._again: dict[int, Future[list[Observation]]] = {}
        self._numbers = itertools.count(1)
        self._lock, self._problem, self._ended = threading.Lock(), "", False
        self._receiving = threading.Thread(target=self._receive, name="probes", daemon=True)
        self._receiving.start()

    def start(self, probes: Iterable[Probe]) -> None:
        """Begin every probe that has not begun yet. Raises UsageError if nothing can be asked."""
        with self._lock:
            fresh = {probe.key: probe for probe in probes if probe.key not in self._futures}
            self._probes |= fresh
            self._futures |= {key: Future() for key in fresh}
            if fresh and not self._ended:
                self._send(_Asked(start=list(fresh.values())))  # type: ignore[arg-type]
        if self._ended:
            self._give_up()

    def observation(self, probe: Probe) -> Observation:
        """Return what ``probe`` saw; starts it if need be, and waits for it."""
        self.start([probe])
        return self.future(probe).result()

    def future(self, probe: Probe) -> Future[Observation]:
        """Return the future of a started probe."""
        return self._futures[probe.key]

    def pending(self) -> list[str]:
        """Return the labels of the probes that have no answer yet."""
        return [self._probes[k].label for k, future in self._futures.items() if not future.done()]

    def again(self, keys: Iterable[str]) -> list[Observation]:
        """See `Collector.again`; nothing if the process has ended."""
        answers: Future[list[Observation]] = Future()
        with self._lock:
            if self._ended:
                return []
            number = next(self._numbers)
            self._again[number] = answers
            self._send(_Asked(again=list(keys), number=number))
        return answers.result()

    def close(self) -> None:
        """Let the process end; probes under way are abandoned."""
        with self._lock, contextlib.suppress(OSError):
            self._connection.send_bytes(b"")
        self._receiving.join(CLOSE_WITHIN_S)

    def _send(self, asked: _Asked) -> None:
        with contextlib.suppress(OSError):  # it has ended: the receiving thread tells
            self._connection.send_bytes(msgspec.json.encode(asked))

    def _receive(self) -> None:
        decoder = msgspec.json.Decoder(_Told)
        with contextlib.suppress(OSError, EOFError):
            while True:
                told = decoder.decode(self._connection.recv_bytes())
                if told.seen is not None:
                    self._futures[told.seen.probe].set_result(told.seen)
                elif told.number:
                    self._again.pop(told.number).set_result(list(told.answers))
                else:
                    self._problem = told.problem
        with self._lock:
            self._ended = True
            for answers in self._again.values():
                answers.set_result([])
        self._give_up()

    def _give_up(self) -> None:
        """Let nobody wait for what will not come. Raises UsageError where that was told."""
        message = self._problem or ENDED
        failure = Failure(kind=FailureKind.INTERNAL_ERROR, message=message)
        with self._lock:
            left = [key for key, future in self._futures.items() if not future.done()]
            for key in left:
                probe = self._probes[key]
                blank = unanswered(probe, failure)
                told = {"probe": key, "label": probe.label, "vantage": probe.vantage}
                self._futures[key].set_result(msgspec.structs.replace(blank, **told))
        if self._problem and threading.current_thread() is not self._receiving:
            raise UsageError(self._problem)


@contextlib.contextmanager
def collecting(entering: Entering) -> Iterator[Collector | CollectorApart]:
    """Give a collector in a process of its own; in this one if it has threads already.

    ``entering`` makes the collector there; what it is given is to be called with each observation.
    """
    # What another thread holds at a fork, nobody ever lets go of.
    if threading.active_count() > 1 or not hasattr(os, "fork"):
        with entering(lambda _seen: None) as collector:
            yield collector
        return
    here, there = Pipe()
    if (process := os.fork()) == 0:
        here.close()
        _be(there, entering)
    there.close()
    apart = CollectorApart(here)
    try:
        yield apart
    finally:
        apart.close()
        here.close()
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)


def _be(connection: Connection, entering: Entering) -> None:
    """Be the process, and never return."""
    try:
        # Who interrupts a run signals the whole group: what is under way is for the run to end.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        with contextlib.suppress(OSError, EOFError):
            _collect(connection, entering)
    finally:
        os._exit(0)


def _collect(connection: Connection, entering: Entering) -> None:
    sending = threading.Lock()

    def tell(told: _Told) -> None:
        with sending, contextlib.suppress(OSError):
            connection.send_bytes(msgspec.json.encode(told))

    try:
        with entering(lambda seen: tell(_Told(seen=seen))) as collector:  # type: ignore[arg-type]
            _serve(connection, collector, tell)
    except UsageError as error:
        tell(_Told(problem=str(error)))
    except OSError as error:
        tell(_Told(problem=f"{error.filename}: {error.strerror}"))


def _serve(connection: Connection, collector: Collector, tell: Callable[[_Told], None]) -> None:
    decoder = msgspec.json.Decoder(_Asked)
    while message := _next(connection):
        asked = decoder.decode(message)
        if not asked.number:
            collector.start(asked.start)
            continue

        def repeat(keys: list[str] = asked.again, number: int = asked.number) -> None:
            tell(_Told(answers=collector.again(keys), number=number))  # type: ignore[arg-type]

        threading.Thread(target=repeat, name="again", daemon=True).start()


def _next(connection: Connection) -> bytes:
    """Return the next message; an empty one also where there is nobody left to send any."""
    try:
        return connection.recv_bytes()
    except EOFError:
        return b""
