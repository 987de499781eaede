"""The corrected circuit breaker."""

from __future__ import annotations

import os
import time
from enum import Enum
from typing import Any

SUCCESSES_TO_CLOSE = 2


class State(Enum):
    """What the breaker does with calls."""

    CLOSED = "CLOSED"
    OPEN = "OPEN"
    HALF_OPEN = "HALF_OPEN"


class CircuitBreaker:
    """Stops calling a service that fails, and tries again after a while.

    After the last of its recovery attempts it waits twice as long each time.
    """

    def __init__(
        self,
        failure_threshold: int | None = None,
        recovery_timeout: float | None = None,
        max_recovery_attempts: int | None = None,
    ) -> None:
        """Settings that are not given come from the environment as it is now; zero is a value."""
        self.failure_threshold = int(
            _setting(failure_threshold, "MLFLOW_CB_FAILURE_THRESHOLD", "3")
        )
        self.recovery_timeout = _setting(recovery_timeout, "MLFLOW_CB_RECOVERY_TIMEOUT", "30")
        self.max_recovery_attempts = int(
            _setting(max_recovery_attempts, "MLFLOW_CB_MAX_RECOVERY_ATTEMPTS", "3")
        )
        self.force_reset()

    def force_reset(self) -> None:
        """Close, and forget everything."""
        self.state = State.CLOSED
        self.failure_count = self.recovery_attempts = self.consecutive_successes = 0
        self._opened = 0.0

    def is_open(self) -> bool:
        """Whether calls must not be made now."""
        if self.state is State.OPEN and time.monotonic() - self._opened >= self._timeout():
            self.state = State.HALF_OPEN
            self.recovery_attempts += 1
            self.consecutive_successes = 0
        return self.state is State.OPEN

    def record_success(self) -> None:
        """A call went well."""
        self.consecutive_successes += 1
        if self.state is State.CLOSED:
            self.failure_count = 0
        elif self.consecutive_successes >= SUCCESSES_TO_CLOSE:
            self.force_reset()

    def record_failure(self) -> None:
        """A call failed."""
        self.failure_count += 1
        self.consecutive_successes = 0
        if self.state is State.HALF_OPEN or self.failure_count >= self.failure_threshold:
            self.state = State.OPEN
            self._opened = time.monotonic()

    def get_status(self) -> dict[str, Any]:
        """The breaker's state, counters and thresholds."""
        waiting = self._opened + self._timeout() - time.monotonic()
        return {
            "state": self.state.value,
            "failure_count": self.failure_count,
            "consecutive_successes": self.consecutive_successes,
            "recovery_attempts": self.recovery_attempts,
            "time_until_retry": max(0.0, waiting) if self.state is State.OPEN else 0.0,
            "failure_threshold": self.failure_threshold,
            "recovery_timeout": self.recovery_timeout,
            "max_recovery_attempts": self.max_recovery_attempts,
        }

    def _timeout(self) -> float:
        beyond = max(0, self.recovery_attempts - self.max_recovery_attempts + 1)
        return float(self.recovery_timeout * 2.0**beyond)


def _setting(given: float | None, variable: str, otherwise: str) -> float:
    return given if given is not None else float(os.environ.get(variable, otherwise))
