"""From the states of dependencies to one word."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

HEALTHY, UNHEALTHY, DEGRADED = "healthy", "unhealthy", "degraded"
NOT_CONFIGURED = "not_configured"


def word(services: Mapping[str, str]) -> str:
    """`healthy` if none is bad; `unhealthy` if none is good; `degraded` in between."""
    states = [state for state in services.values() if state != NOT_CONFIGURED]
    if all(state == HEALTHY for state in states):
        return HEALTHY
    return DEGRADED if HEALTHY in states else UNHEALTHY


def report(status: str, version: str, services: Mapping[str, str]) -> dict[str, Any]:
    """The body of a health report."""
    return {
        "status": status,
        "version": version,
        "services": dict(services),
        "timestamp": datetime.now(UTC).isoformat(),
    }
