"""A run that has begun, as the process beside pytest's knows it."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from harness import environment
from harness.apart.messages import Seen, Show
from harness.errors import UsageError
from harness.observation import Observation
from harness.observing import Observing, observing
from harness.project import Project
from harness.redaction import Redactor
from harness.reports.hands import Hands, HandsHere, Judged
from harness.specs import Probe


class Run:
    """A run that has begun: who asks, if anybody does, and where the reports go."""

    def __init__(self, tested: Project, folder: Path, tell: Callable[[Seen], None]) -> None:
        """``tell`` tells pytest's process."""
        self.project, self.folder = tested, folder
        self._tell = tell
        self.redactor = Redactor.from_variables(os.environ)
        self.hands: Hands = HandsHere(tested, folder, self.redactor, None)
        self._observed: dict[str, Observation] = {}
        self._waited_for: set[str] = set()
        self._lock = threading.Lock()
        self._observing: Observing | None = None
        self._defect: Exception | None = None

    def ask(self, closing: contextlib.ExitStack, *, writes: bool) -> None:
        """Begin to ask. Raises UsageError and OSError."""
        tested, credentials = self.project.environment, environment.credentials(os.environ)
        entered = observing(
            tested, credentials, self.folder, self.redactor, writes=writes, told=self._hear
        )
        self._observing = closing.enter_context(entered)

    def write_to(self, allure: Path | None) -> None:
        """Let Allure's results be written there."""
        self.hands = HandsHere(self.project, self.folder, self.redactor, allure)

    @property
    def observing(self) -> Observing:
        """Who asks. Raises UsageError for a replay."""
        if self._observing is None:
            raise UsageError("a replay asks nothing")
        return self._observing

    def until_answered(self, seconds: float) -> None:
        """Wait until all that was asked has been answered, at most this long."""
        collector = self.observing.collector
        collector.until(lambda: not collector.asking(), seconds)

    @property
    def name(self) -> str:
        """The environment's."""
        return self.project.environment.name

    def start(self, probes: Sequence[Probe]) -> None:
        """Ask these, and tell of each: of what was foreseen and has been answered, at once."""
        self.observing.collector.start(probes)
        with self._lock:
            self._waited_for |= {probe.key for probe in probes}
            seen = [self._observed[probe.key] for probe in probes if probe.key in self._observed]
        for observation in seen:
            self._tell(Seen(observation))  # type: ignore[arg-type]

    def _hear(self, observation: Observation) -> None:
        with self._lock:
            self._observed[observation.probe] = observation
            waited_for = observation.probe in self._waited_for
        if waited_for:
            self._tell(Seen(observation))  # type: ignore[arg-type]

    def show(self, told: Show) -> None:
        """Write a result of Allure's; a defect is told at the run's end, and costs only this."""
        self._observed |= {each.probe: each for each in told.observed}
        keys = told.check.probes if told.check else ()
        try:
            seen = [self._observed[key] for key in keys if key in self._observed]
            self.hands.show(told.result, told.check, seen)
        except Exception as error:
            self._defect = error

    def conclude(self, judged: Judged) -> None:
        """Write what the run came to. Raises what went wrong, now or before."""
        self.hands.conclude(judged)()
        if self._defect is not None:
            raise self._defect
