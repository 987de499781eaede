"""The edge: every load balancer of the control plane, served by one asyncio loop in one thread."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
from concurrent.futures import Future
from pathlib import Path

from lab.edge.access_log import AccessLog
from lab.edge.doors import Doors, Key
from lab.edge.exchange import Front
from lab.edge.model import ControlPlane, Pace, TargetHealth
from lab.edge.targets import Targets

_logger = logging.getLogger(__name__)


class Edge:
    """Serves the control plane's load balancers until stopped. Any thread may call any method.

    The control plane is asked on the edge's own thread: a caller must not hold a lock that the
    control plane needs for its answers.
    """

    def __init__(
        self, control: ControlPlane, *, access_log: Path, pace: Pace | None = None
    ) -> None:
        """No port is opened before `start`. Access-log lines are appended to `access_log`."""
        self._control = control
        self._pace = pace or Pace()
        self._log = AccessLog(access_log)
        self._targets = Targets(control, self._pace)
        self._doors = Doors()
        self._busy = asyncio.Lock()
        self._stopping = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._complaint = ""

    def start(self, timeout: float = 5.0) -> None:
        """Open every listener, begin health checks. Raises OSError if an address is taken."""
        ready: Future[None] = Future()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._serve(ready)), name="lab-edge", daemon=True
        )
        self._thread.start()
        ready.result(timeout)

    def sync(self, timeout: float = 2.0) -> None:
        """Take over listeners, ingress and targets now, and check every target now.

        Without it that happens within `pace.reconcile`. Raises OSError if a listener's address is
        taken.
        """
        if self._loop is None:
            raise RuntimeError("the edge was not started")
        asyncio.run_coroutine_threadsafe(self._sync(), self._loop).result(timeout)

    def settled(self) -> bool:
        """Whether every target in use was checked since the last `sync`, and its state agrees."""
        return self._targets.settled()

    def target_health(self, target_group_arn: str) -> tuple[TargetHealth, ...]:
        """What DescribeTargetHealth answers for this target group, draining targets included."""
        return self._targets.described(target_group_arn)

    def stop(self, timeout: float = 5.0) -> None:
        """Close every socket and end the thread. May be called more than once."""
        if self._loop is None or self._thread is None:
            return
        with contextlib.suppress(RuntimeError):  # its loop is closed: it has ended
            self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(timeout)

    async def _serve(self, ready: Future[None]) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            await self._reconcile()
            ready.set_result(None)
            while not await self._stopped(self._pace.reconcile):
                await self._reconcile_again()
        except Exception as error:
            if ready.done():
                raise
            ready.set_exception(error)
        finally:
            await self._doors.close()
            await self._targets.stop()
            self._log.close()

    async def _sync(self) -> None:
        await self._reconcile()
        self._targets.check_now()

    async def _reconcile_again(self) -> None:
        """One bad state must not end the edge; a complaint that stays the same is written once."""
        try:
            await self._reconcile()
        except Exception as error:
            if self._complaint != (complaint := f"{type(error).__name__}: {error}"):
                _logger.exception("the control plane's state cannot be served: %s", complaint)
            self._complaint = complaint
        else:
            self._complaint = ""

    async def _reconcile(self) -> None:
        async with self._busy:
            self._targets.reconcile()
            await self._doors.reconcile(self._wanted())

    def _wanted(self) -> dict[Key, tuple[Front, tuple[str, ...]]]:
        return {
            Key(balancer.arn, balancer.address, listener.port, listener.protocol == "HTTPS"): (
                Front(
                    self._control,
                    self._targets,
                    self._log,
                    self._pace,
                    balancer.arn,
                    listener.port,
                ),
                listener.ingress,
            )
            for balancer in self._control.load_balancers()
            for listener in balancer.listeners
        }

    async def _stopped(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        return self._stopping.is_set()
