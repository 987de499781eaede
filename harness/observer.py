"""Who can be asked for observations: interfaces only, so that judging imports nothing that asks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from harness.observation import Observation
from harness.specs import Probe


class Observer(Protocol):
    """Whoever can be asked for observations: the collector, a broker's client, or a replay."""

    def start(self, probes: Iterable[Probe]) -> None:
        """Begin every probe that has not begun yet."""

    def observation(self, probe: Probe) -> Observation:
        """Return what ``probe`` saw; waits for it."""

    def seen(self) -> Mapping[str, Observation]:
        """Return what has been seen so far, by probe."""


class Asks(ABC):
    """An observer that asks by itself: what is under way can be told, and asked once more."""

    @abstractmethod
    def start(self, probes: Iterable[Probe]) -> None:
        """Begin every probe that has not begun yet; probes of one task go as one session."""

    @abstractmethod
    def observation(self, probe: Probe) -> Observation:
        """Return what ``probe`` saw; starts it if need be, and waits for it."""

    @abstractmethod
    def seen(self) -> Mapping[str, Observation]:
        """Return what has been seen so far, by probe."""

    @abstractmethod
    def answered(self, probe: Probe) -> bool:
        """Return True if nobody would wait for ``probe``: one that is under way is waited for."""

    @abstractmethod
    def until(self, enough: Callable[[], bool], seconds: float) -> bool:
        """Wait until ``enough`` says so, which is asked after each answer; False after a while."""

    @abstractmethod
    def pending(self) -> list[str]:
        """Return the labels of the probes that have no answer yet."""

    @abstractmethod
    def again(self, keys: Iterable[str]) -> list[Observation]:
        """Ask probes that have been asked once more, all at once; the answers are not kept.

        Each probe's own deadline bounds it. Keys that were never asked are left out.
        """
