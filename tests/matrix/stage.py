"""The lab that a worker of the matrix puts its faults into: healed after each, seldom rebooted."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Callable, Sequence
from typing import Any

from lab import home, names, session
from lab.addresses import Network
from lab.aws.clients import Clients
from lab.inside import ask
from lab.platform import Platform

_ANSWER_WITHIN = 60.0
_WELL_WITHIN = 8.0
_POLL = 0.05


class ChangeFailedError(Exception):
    """A fault could not be put in or healed."""


class Stage:
    """One lab, started when it is first needed."""

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._lab: session.LabSession | None = None
        self._platform: Platform | None = None
        self.boots = 0

    @property
    def environment(self) -> dict[str, str]:
        """What the suite needs to judge the lab."""
        return self._running().environment

    def apply(self, faults: Sequence[str]) -> None:
        """Put faults in, in this order, and wait for what follows."""
        if faults:
            self._change("apply", faults)

    def heal(self, faults: Sequence[str]) -> None:
        """Undo faults, the last one first; boot another lab where that does not help."""
        if not faults:
            return
        try:
            self._change("heal", faults[::-1])
            well = self._well()
        except ChangeFailedError:
            well = False
        if not well:
            self.close()

    def close(self) -> None:
        """End the lab."""
        if self._lab is not None:
            self._lab.stop()
            self._lab = self._platform = None

    def _running(self) -> session.LabSession:
        if self._lab is None:
            self._lab = session.start("healthy")
            clients = Clients(self._lab.environment)
            self._platform = Platform(clients, Network(self._lab.number))
            self.boots += 1
        return self._lab

    def _change(self, action: str, faults: Sequence[str]) -> None:
        folder = home.LABS / str(self._running().number)
        question = {"ask": "fault", "action": action, "names": list(faults)}
        answer = ask(folder, question, patience=_ANSWER_WITHIN)
        if "error" in answer:
            raise ChangeFailedError(f"{action} {', '.join(faults)}: {answer['error']}")

    def _well(self) -> bool:
        """Whether the API says so, within a bound: its circuit breaker has to close again."""
        return _until(lambda: self._said_health() == "healthy", _WELL_WITHIN)

    def _said_health(self) -> Any:
        assert self._platform is not None, "no lab was started"
        for address in self._platform.task_addresses(names.API).values():
            connection = http.client.HTTPConnection(address, 8001, timeout=_WELL_WITHIN)
            try:
                connection.request("GET", "/health")
                return json.loads(connection.getresponse().read()).get("status")
            except (OSError, http.client.HTTPException, ValueError):
                return None
            finally:
                connection.close()
        return None


def _until(holds: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
