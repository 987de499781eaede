"""Puts faults into a running lab and heals them, and says when what follows has happened."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from lab import faults
from lab.control import Question
from lab.platform import Platform

_WITHIN = 6.0
_POLL = 0.02


class Changes:
    """Answers the control socket's questions about faults; one change at a time."""

    def __init__(self, platform: Platform, settled: Callable[[], bool]) -> None:
        """`settled` tells whether everything that follows a change has happened."""
        self._platform, self._settled = platform, settled
        self._changing = threading.Lock()

    def fault(self, question: Question) -> dict[str, Any]:
        """`{"action": "apply" or "heal", "names": […]}`: in this order, then settle."""
        found = [faults.find(name) for name in question["names"]]
        with self._changing:
            for fault in found:
                change = fault.apply if question["action"] == "apply" else fault.heal
                change(self._platform)
            return self.settle(question)

    def settle(self, question: Question) -> dict[str, Any]:
        """Wait until what follows has happened; `within` so many seconds (default 6)."""
        began = time.monotonic()
        deadline = began + float(question.get("within", _WITHIN))
        settled = self._settled()
        while not settled and time.monotonic() < deadline:
            time.sleep(_POLL)
            settled = self._settled()
        return {"settled": settled, "seconds": round(time.monotonic() - began, 3)}
