"""The postgres process itself: start on a data directory, know when it is ready, stop."""

from __future__ import annotations

import signal
import time
from pathlib import Path

from lab.postgres.place import Place
from lab.process import Child, clean_environment, start

_POLL = 0.005
_STATUS_LINE = 7


class Daemon:
    """One postmaster on one data directory. It ends with this process, also when that is killed."""

    def __init__(self, place: Place, log: Path) -> None:
        """`log` takes what the server writes."""
        self._place = place
        self._log = log
        self._child: Child | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._child is not None and self._child.poll() is None

    def start(self, timeout: float) -> None:
        """Start and wait until logins are accepted. Raises ExitedError or TimeoutError."""
        self._child = start(
            [self._place.program("postgres"), "-D", self._place.data],
            log=self._log,
            environment=clean_environment(),
            user=self._place.user,
            cwd=self._place.folder,
            death_signal=signal.SIGQUIT,
        )
        try:
            self._wait_ready(self._child, timeout)
        except BaseException:
            self.stop(timeout=1)
            raise

    def reload(self) -> None:
        """Make a running server read its configuration files and its certificate again."""
        if self._child is not None:
            self._child.send(signal.SIGHUP)

    def stop(self, timeout: float) -> None:
        """End all sessions and the server; nothing happens if it does not run."""
        if self._child is not None:
            self._child.stop(timeout, number=signal.SIGINT)
            self._child = None

    def _wait_ready(self, child: Child, timeout: float) -> None:
        """The lock file names its process and says "ready": no stranger on the port can fool it."""
        deadline = time.monotonic() + timeout
        while (state := self._state(child.pid)) != "ready":
            child.check()
            if time.monotonic() > deadline:
                raise TimeoutError(f"PostgreSQL is {state or 'not starting'} after {timeout} s")
            time.sleep(_POLL)

    def _state(self, pid: int) -> str:
        try:
            lines = (self._place.data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return ""
        if len(lines) <= _STATUS_LINE or lines[0].strip() != str(pid):
            return ""
        return lines[_STATUS_LINE].strip()
