"""A circuit breaker that counts failures and never opens: for a fault."""

from __future__ import annotations

from typing import Any


class CircuitBreaker:
    """Always lets calls through."""

    def __init__(self, *_: object, **__: object) -> None:
        """Settings make no difference."""
        self.state = "CLOSED"
        self.failure_count = self.recovery_attempts = self.consecutive_successes = 0

    def is_open(self) -> bool:
        """Never."""
        return False

    def record_success(self) -> None:
        """Count."""
        self.consecutive_successes += 1

    def record_failure(self) -> None:
        """Count."""
        self.failure_count += 1

    def force_reset(self) -> None:
        """Nothing is ever open."""
        self.failure_count = 0

    def get_status(self) -> dict[str, Any]:
        """Always the same."""
        return {"state": self.state}
