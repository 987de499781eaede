"""What the parts of a bundle read with: AWS, the inventory's sections, and the bounds."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from harness.aws.apart import AnyClients
from harness.aws.sections import SECTIONS, At
from harness.environment import Environment

MAX_EVENTS = 20_000
MAX_BYTES = 4 * 1024 * 1024


@dataclass(frozen=True)
class Source:
    """Reads on behalf of the parts; each section once. Safe to use from several threads."""

    clients: AnyClients
    environment: Environment
    hours: int
    _sections: dict[str, dict[str, Any]] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def since(self) -> float:
        """The beginning of what is collected, in epoch seconds."""
        return time.time() - self.hours * 3600

    def section(self, name: str) -> dict[str, Any]:
        """Return a section of the inventory. Raises StageError, naming the IAM action it lacks."""
        with self._lock:
            if name not in self._sections:
                entry = SECTIONS[name]
                earlier = {need.rstrip("?"): self.section(need.rstrip("?")) for need in entry.needs}
                self._sections[name] = entry.read(At(self.clients, self.environment, earlier))
            return self._sections[name]

    def read(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Return the response of a read operation. Raises StageError."""
        return self.clients.read(service, operation, **parameters)
