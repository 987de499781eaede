"""Moto's own objects, for the parts of the lab that follow the control plane.

Everything that reads or writes them holds `lock`, as moto's own request handling does here: moto
is not written for threads.
"""

from __future__ import annotations

import threading
from typing import Any

ACCOUNT = "123456789012"


class Backends:
    """Moto's backends of one account and region, by service name."""

    def __init__(self, region: str) -> None:
        """Nothing is imported before it is asked for."""
        self.region = region
        self.account = ACCOUNT
        self.lock = threading.RLock()

    def __getattr__(self, service: str) -> Any:
        """The backend of a service, for example `backends.elbv2`."""
        if service.startswith("_"):
            raise AttributeError(service)
        from moto.backends import get_backend

        regions: Any = get_backend(service)[self.account]  # type: ignore[call-overload]
        backend = regions[self.region if self.region in regions else "aws"]
        self.__dict__[service] = backend
        return backend
