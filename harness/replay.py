"""Judging the observations of an earlier run again: no environment, no network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from harness import recorder
from harness.observation import Failure, FailureKind, Observation
from harness.probes.blank import unanswered
from harness.specs import Probe


class Replay:
    """Answers from a record; what is not in it cannot be judged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = recorder.read(path)

    def start(self, probes: Iterable[Probe]) -> None:
        """Nothing is started."""

    def seen(self) -> dict[str, Observation]:
        """Return the whole record."""
        return self._seen

    def observation(self, probe: Probe) -> Observation:
        """Return what was recorded for ``probe``."""
        return self._seen.get(probe.key) or unanswered(
            probe,
            Failure(
                kind=FailureKind.MISSING_SETTING,
                message=f"{self._path.name} has no observation of: {probe.label}",
                remedy="replay with the same environment and checks as the recorded run",
            ),
        )
