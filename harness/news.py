"""Waiting for what another thread brings, so that Ctrl-C may come at any moment of it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable


class News:
    """Wakes all who wait, each of whom looks for himself whether it is what he waits for.

    A KeyboardInterrupt comes up between any two steps of Python code, and so within those of
    `threading.Condition` and of futures: their lock then stays locked, and whoever brings
    something hangs. The locks used here are taken and let go of in one step each.
    """

    def __init__(self) -> None:
        self._bells: list[threading.Lock] = []

    def tell(self) -> None:
        """Wake those who wait."""
        for bell in tuple(self._bells):
            with contextlib.suppress(RuntimeError):  # it has been rung already
                bell.release()

    def until(self, enough: Callable[[], bool], seconds: float | None = None) -> bool:
        """Wait until ``enough`` says so, which is asked whenever there is news.

        Returns False if it does not within ``seconds``.
        """
        ends = None if seconds is None else time.monotonic() + seconds
        bell = threading.Lock()
        bell.acquire()
        self._bells.append(bell)
        try:
            while not enough():
                left = -1 if ends is None else ends - time.monotonic()
                if ends is not None and left <= 0:
                    return False
                bell.acquire(timeout=left)
            return True
        finally:
            self._bells.remove(bell)
