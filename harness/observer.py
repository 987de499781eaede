"""Who can be asked for observations: interfaces only."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import Future
from typing import Protocol, runtime_checkable

from harness.observation import Observation
from harness.specs import Probe


class Observer(Protocol):
    """Whoever can be asked for observations: a collector, a broker's client, or a replay."""

    def start(self, probes: Iterable[Probe]) -> None:
        """Begin every probe that has not begun yet."""

    def observation(self, probe: Probe) -> Observation:
        """Return what ``probe`` saw; waits for it."""


@runtime_checkable
class Asks(Observer, Protocol):
    """An observer that asks by itself: what is under way can be told, and asked once more."""

    def future(self, probe: Probe) -> Future[Observation]:
        """Return the future of a started probe."""

    def pending(self) -> list[str]:
        """Return the labels of the probes that have no answer yet."""

    def again(self, keys: Iterable[str]) -> list[Observation]:
        """Ask probes that have been asked once more, all at once; the answers are not kept."""
