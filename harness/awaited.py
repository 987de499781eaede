"""What whoever asks keeps of its probes: which are under way, what was seen, who waits for news."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import Future

from harness.observation import Observation
from harness.observer import Asks
from harness.specs import Probe


class Awaited(Asks):
    """Single flight: equal probes are asked once, however many checks need them."""

    def __init__(self) -> None:
        self._futures: dict[str, Future[Observation]] = {}
        self._probes: dict[str, Probe] = {}
        self._lock, self._news = threading.Lock(), threading.Condition()

    @abstractmethod
    def _ask(self, fresh: list[Probe]) -> None:
        """Ask probes that have never been asked."""

    def start(self, probes: Iterable[Probe]) -> None:
        """See `Asks`."""
        with self._lock:
            fresh = {probe.key: probe for probe in probes if probe.key not in self._futures}
            self._probes |= fresh
            self._futures |= {key: Future() for key in fresh}
        if fresh:
            self._ask(list(fresh.values()))

    def observation(self, probe: Probe) -> Observation:
        """See `Asks`."""
        self.start([probe])
        return self.future(probe).result()

    def seen(self) -> dict[str, Observation]:
        """See `Asks`."""
        return {key: future.result() for key, future in self._futures.items() if future.done()}

    def future(self, probe: Probe) -> Future[Observation]:
        """See `Asks`."""
        return self._futures[probe.key]

    def answered(self, probe: Probe) -> bool:
        """See `Asks`."""
        future = self._futures.get(probe.key)
        return future is None or future.done()

    def until(self, enough: Callable[[], bool], seconds: float) -> bool:
        """See `Asks`."""
        with self._news:
            return self._news.wait_for(enough, seconds)

    def pending(self) -> list[str]:
        """See `Asks`."""
        return [
            self._probes[key].label for key, future in self._futures.items() if not future.done()
        ]

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()
