"""Work that is done once however often it was asked for meanwhile."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

_log = logging.getLogger(__name__)


class Coalesced:
    """Calls `work` in a thread of its own after each `ask`; asks during a call lead to one more."""

    def __init__(self, name: str, work: Callable[[], object]) -> None:
        """`name` is the thread's. Nothing is called before `start`."""
        self._work = work
        self._asked, self._ending = threading.Event(), threading.Event()
        self._idle = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; an ask from before counts."""
        self._thread.start()

    def ask(self) -> None:
        """Have the work done soon; returns at once."""
        self._asked.set()

    @property
    def idle(self) -> bool:
        """Whether nothing is asked for and nothing is under way."""
        return self._idle.is_set() and not self._asked.is_set()

    def stop(self) -> None:
        """End after the call that is under way."""
        self._ending.set()
        self._asked.set()
        if self._thread.is_alive():
            self._thread.join(5)

    def _run(self) -> None:
        while True:
            self._idle.set()
            self._asked.wait()
            self._idle.clear()
            self._asked.clear()
            if self._ending.is_set():
                return
            try:
                self._work()
            except Exception:
                _log.exception("%s", self._thread.name)
