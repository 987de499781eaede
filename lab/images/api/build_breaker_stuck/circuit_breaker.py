"""A circuit breaker that opens at once and never closes again: for a fault."""

from __future__ import annotations

from typing import Any


class CircuitBreaker:
    """Lets nothing through."""

    def __init__(self, *_: object, **__: object) -> None:
        """Settings make no difference."""
        self.state = "OPEN"
        self.failure_count = 1
        self.recovery_attempts = self.consecutive_successes = 0

    def is_open(self) -> bool:
        """Always."""
        return True

    def record_success(self) -> None:
        """Changes nothing."""

    def record_failure(self) -> None:
        """Changes nothing."""

    def force_reset(self) -> None:
        """Changes nothing."""

    def get_status(self) -> dict[str, Any]:
        """Always the same."""
        return {"state": self.state, "failure_count": self.failure_count}
