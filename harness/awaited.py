"""What whoever asks keeps of its probes: which are under way, what was seen, who waits for news."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable

from harness.news import News
from harness.observation import Observation
from harness.observer import Asks
from harness.specs import Probe


class Awaited(Asks):
    """Single flight: equal probes are asked once, however many checks need them."""

    def __init__(self) -> None:
        self._probes: dict[str, Probe] = {}
        self._seen: dict[str, Observation] = {}
        self._lock, self._news = threading.Lock(), News()

    @abstractmethod
    def _ask(self, fresh: list[Probe]) -> None:
        """Ask probes that have never been asked."""

    def start(self, probes: Iterable[Probe]) -> None:
        """See `Asks`."""
        with self._lock:
            fresh = {probe.key: probe for probe in probes if probe.key not in self._probes}
            self._probes |= fresh
        if fresh:
            self._ask(list(fresh.values()))

    def observation(self, probe: Probe) -> Observation:
        """See `Asks`."""
        self.start([probe])
        self._news.until(lambda: self.answered(probe))
        return self._seen[probe.key]

    def seen(self) -> dict[str, Observation]:
        """See `Asks`."""
        return dict(self._seen)

    def answered(self, probe: Probe) -> bool:
        """See `Asks`."""
        return probe.key in self._seen or probe.key not in self._probes

    def until(self, enough: Callable[[], bool], seconds: float) -> bool:
        """See `Asks`."""
        return self._news.until(enough, seconds)

    def asking(self) -> bool:
        """Whether something has not been answered yet."""
        return len(self._seen) < len(self._probes)

    def pending(self) -> list[str]:
        """See `Asks`."""
        asked = list(self._probes.items())
        return [probe.label for key, probe in asked if key not in self._seen]
