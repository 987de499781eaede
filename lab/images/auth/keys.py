"""API keys as the auth service keeps them: digests only."""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Settings:
    """The service's settings, from its task's environment."""

    digests: tuple[str, ...]
    services: tuple[str, ...]
    per_hour: int
    port: int


def read(variables: Mapping[str, str] = os.environ) -> Settings:
    """The settings in `variables`. Digests are hexadecimal SHA-256, separated by commas."""
    digests = variables.get("API_KEY_HASHES", "")
    services = variables.get("SERVICE_IDS", "platform")
    return Settings(
        digests=tuple(part.strip().lower() for part in digests.split(",") if part.strip()),
        services=tuple(part.strip() for part in services.split(",")),
        per_hour=int(variables.get("RATE_LIMIT_PER_HOUR", "100000")),
        port=int(variables.get("AUTH_PORT", "8000")),
    )


def key_id(settings: Settings, key: str) -> str | None:
    """The id of a known key, None for any other."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    known = any(hmac.compare_digest(digest, each) for each in settings.digests)
    return f"key_{digest[:8]}" if known else None


@dataclass(slots=True)
class RateLimit:
    """How many validations a key has left in the running hour."""

    per_hour: int
    _seen: dict[str, deque[float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admits(self, key: str) -> bool:
        """Count one validation; False when there have been too many."""
        now = time.monotonic()
        with self._lock:
            times = self._seen.setdefault(key, deque())
            while times and now - times[0] > HOUR_S:
                times.popleft()
            times.append(now)
            return len(times) <= self.per_hour
