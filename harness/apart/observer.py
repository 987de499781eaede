"""The other process, as pytest's sees it: an observer, a reader of AWS, and a renderer."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness.apart.head_start import Started
from harness.apart.messages import (
    Again,
    Answer,
    Begin,
    Conclude,
    Heard,
    Line,
    Load,
    Loaded,
    Read,
    Seen,
    Show,
    Start,
    Told,
)
from harness.awaited import Awaited
from harness.errors import BrokenApart, UsageError
from harness.observation import AnyObservation, Failure, FailureKind, Observation
from harness.probes.blank import unasked
from harness.probes.stage import StageError
from harness.reports.hands import Document, Hands, Judged
from harness.specs import Probe
from harness.verdicts import CheckResult

ENDED = "the process that asks the probes has ended"
# A journey that was broken off removes what it made, each step within the probes' deadline.
CLOSE_WITHIN_S = 60.0


class Apart(Awaited):
    """Safe to use from several threads. Once it has ``ended``, nothing more comes from it."""

    def __init__(self, started: Started) -> None:
        super().__init__()
        self._process = started.process
        self._line = Line(started.connection)
        self._numbers = itertools.count(1)
        self._answers: dict[int, Answer] = {}
        self._begun: int | None = None
        self._shown: set[str] = set()
        self._here: Hands = self
        self._has_begun, self.ended = False, False
        self._receiving = threading.Thread(target=self._receive, name="apart", daemon=True)
        self._receiving.start()

    def load(self, name: str) -> Loaded:
        """Return what the project's files say to this process's variables. Raises UsageError."""
        told = dict(os.environ)
        number = self._request(lambda number: Load(number, name, told))
        loaded = msgspec.convert(self._answer(number), Loaded)
        self._has_begun = loaded.folder is not None
        return loaded

    def begin(
        self, folder: Path, allure: Path | None, here: Hands, *, asks: bool, writes: bool
    ) -> None:
        """Let a run begin in the environment that was loaded; `start` tells if it cannot.

        ``here`` does what the process has not done when it ended before its time.
        """
        attached, self._here = None if allure is None else str(allure), here
        self._begun = self._request(lambda n: Begin(n, str(folder), attached, asks, writes))

    def _ask(self, fresh: list[Probe]) -> None:
        """Raises UsageError if nothing can be asked."""
        with contextlib.suppress(BrokenApart):  # it has ended: each probe tells
            self._wait_until_begun()
        self._send(Start(fresh))  # type: ignore[arg-type]
        if self.ended:
            self._give_up()

    def again(self, keys: Iterable[str]) -> list[Observation]:
        """See `Asks`."""
        asked = list(keys)
        found = self._answer(self._request(lambda number: Again(number, asked)))
        return list(msgspec.convert(found, list[AnyObservation]))

    def read(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """See `harness.aws.client.Clients.read`."""
        self._wait_until_begun()
        number = self._request(lambda number: Read(number, service, operation, parameters))
        return dict(self._answer(number))

    def _wait_until_begun(self) -> None:
        if not self._has_begun and self._begun is not None:
            # Kept: whoever asks again is told the same.
            _value(self._heard(self._begun))
            self._has_begun = True

    def get_ready(self) -> None:
        """See `Hands`: the other process gets ready by itself."""

    def show(
        self, result: Document, check: CheckResult | None, observed: Sequence[Observation]
    ) -> None:
        """See `Hands`."""
        if self.ended:
            self._here.show(result, check, observed)
            return
        # What it has seen itself, or has been told of, is not told to it.
        known = self._probes, self._shown
        fresh = [each for each in observed if not any(each.probe in seen for seen in known)]
        self._shown |= {each.probe for each in fresh}
        self._send(Show(result, check, fresh))  # type: ignore[arg-type]

    def conclude(self, judged: Judged) -> Callable[[], None]:
        """See `Hands`."""
        if self.ended:
            return self._here.conclude(judged)
        written = self._request(lambda number: Conclude(number, judged))

        def wait() -> None:
            try:
                self._answer(written)
            except BrokenApart:
                if not self.ended:
                    raise
                self._here.conclude(judged)()
            # Nothing comes after it: the process ends while this one tells what was found.
            self._end()

        return wait

    def close(self) -> None:
        """Let the process end; probes under way are abandoned."""
        self._end()
        self._receiving.join(CLOSE_WITHIN_S)
        self._line.connection.close()
        with contextlib.suppress(OSError):
            if self._receiving.is_alive():
                os.kill(self._process, signal.SIGKILL)
            os.waitpid(self._process, 0)

    def _end(self) -> None:
        with contextlib.suppress(OSError):
            self._line.connection.shutdown(socket.SHUT_WR)

    def _request(self, message: Callable[[int], Told]) -> int:
        number = next(self._numbers)
        self._send(message(number))
        return number

    def _answer(self, number: int) -> Any:
        """Return what a request is answered with, and forget it.

        Raises StageError, UsageError, OSError and BrokenApart.
        """
        answer = self._heard(number)
        self._answers.pop(number, None)
        return _value(answer)

    def _heard(self, number: int) -> Answer:
        self._news.until(lambda: number in self._answers or self.ended)
        return self._answers.get(number, Answer(number, broken=ENDED))

    def _send(self, message: Told) -> None:
        with contextlib.suppress(OSError):  # it has ended: the receiving thread tells
            self._line.send(message)

    def _receive(self) -> None:
        try:
            for heard in self._line.messages(Heard):
                self._take(heard)
        finally:
            self.ended = True
            self._give_up()

    def _take(self, heard: Seen | Answer) -> None:
        if isinstance(heard, Answer):
            self._answers[heard.number] = heard
        else:
            self._seen[heard.observation.probe] = heard.observation
        self._news.tell()

    def _give_up(self) -> None:
        """Let nobody wait for what will not come."""
        failure = Failure(kind=FailureKind.INTERNAL_ERROR, message=ENDED)
        for key, probe in list(self._probes.items()):
            if key not in self._seen:
                self._seen[key] = unasked(probe, failure)
        self._news.tell()


def _value(answer: Answer) -> Any:
    if answer.failure is not None:
        raise StageError(answer.failure.kind, answer.failure.message, answer.failure.remedy)
    if answer.usage:
        raise UsageError(answer.usage)
    if answer.error:
        raise OSError(answer.error, os.strerror(answer.error))
    if answer.broken:
        raise BrokenApart(answer.broken)
    return answer.value
