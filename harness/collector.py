"""The collector: runs every distinct probe once, all at once, in a bounded pool.

It lives on one event loop in a thread of its own, beside whoever judges.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import threading
import time
import traceback
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from harness.awaited import Awaited
from harness.errors import place
from harness.observation import Failure, FailureKind, Observation
from harness.probes.blank import unanswered, unasked
from harness.specs import RUNNER, Probe

AT_ONCE = 256
CLOSE_WITHIN = 5.0
PACKAGE = Path(__file__).parent
T = TypeVar("T")


class Asker(Protocol):
    """Knows how to ask: one probe from the runner, or a batch inside a task."""

    async def ask(self, probe: Probe) -> Observation:
        """Answer one probe from the runner."""

    async def ask_task(self, service: str, probes: list[Probe]) -> list[Observation]:
        """Answer probes inside the task of ``service``, in order."""


class Collector(Awaited):
    """Asks from this process."""

    def __init__(
        self,
        asker: Asker,
        finished: Callable[[Observation], Observation],
        told: Callable[[Observation], None] = lambda _observation: None,
    ) -> None:
        """``finished`` gets each observation, and returns what is kept; ``told`` gets that."""
        super().__init__()
        self._asker = asker
        self._finished, self._told = finished, told
        self._loop = asyncio.new_event_loop()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="probes", daemon=True)
        self._thread.start()

    def _ask(self, fresh: list[Probe]) -> None:
        self._loop.call_soon_threadsafe(self._spawn, fresh)

    def again(self, keys: Iterable[str]) -> list[Observation]:
        """See `Asks`."""
        probes = [self._probes[key] for key in keys if key in self._probes]
        asking = asyncio.run_coroutine_threadsafe(self._again(probes), self._loop)
        return asking.result()

    def close(self) -> None:
        """Stop the loop; probes under way are abandoned."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=CLOSE_WITHIN)
        if not self._thread.is_alive():
            self._loop.run_until_complete(self._abandon())
            self._loop.close()

    async def _abandon(self) -> None:
        under_way = list(self._tasks)
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)

    def _spawn(self, probes: list[Probe]) -> None:
        by_vantage = itertools.groupby(sorted(probes, key=_vantage), key=_vantage)
        for vantage, group in by_vantage:
            batch = list(group)
            if vantage == RUNNER:
                for probe in batch:
                    self._go(self._ask_one(probe))
            else:
                self._go(self._ask_batch(vantage, batch))

    def _go(self, coroutine: Awaitable[None]) -> None:
        task = asyncio.ensure_future(coroutine)
        assert isinstance(task, asyncio.Task)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _again(self, probes: list[Probe]) -> list[Observation]:
        groups = itertools.groupby(sorted(probes, key=_vantage), key=_vantage)
        asking: list[Awaitable[list[Observation]]] = []
        for vantage, group in groups:
            batch = list(group)
            if vantage == RUNNER:
                asking += map(self._one, batch)
            else:
                asking.append(self._batch(vantage, batch))
        return [seen for answers in await asyncio.gather(*asking) for seen in answers]

    async def _ask_one(self, probe: Probe) -> None:
        self._settle(probe, (await self._one(probe))[0])

    async def _one(self, probe: Probe) -> list[Observation]:
        async with self._slots:
            started, clock = time.time(), time.perf_counter()
            seen = await _never_raising(self._asker.ask(probe), [probe])
            return [_stamped(probe, seen[0], started, (time.perf_counter() - clock) * 1000)]

    async def _ask_batch(self, vantage: str, probes: list[Probe]) -> None:
        for probe, observation in zip(probes, await self._batch(vantage, probes), strict=True):
            self._settle(probe, observation)

    async def _batch(self, vantage: str, probes: list[Probe]) -> list[Observation]:
        started = time.time()
        service = vantage.partition(":")[2]
        seen = await _never_raising(self._asker.ask_task(service, probes), probes)
        return [
            _stamped(probe, answer, answer.started or started, answer.duration_ms)
            for probe, answer in zip(probes, seen, strict=True)
        ]

    def _settle(self, probe: Probe, stamped: Observation) -> None:
        try:
            kept = self._finished(stamped)
        except Exception as error:
            message = f"what was seen cannot be kept: {place(error)}"
            kept = unasked(probe, Failure(kind=FailureKind.INTERNAL_ERROR, message=message))
        self._seen[probe.key] = kept
        self._news.tell()
        self._told(kept)


def _stamped(probe: Probe, seen: Observation, started: float, duration: float) -> Observation:
    return msgspec.structs.replace(
        seen,
        probe=probe.key,
        label=_label(probe, seen),
        vantage=probe.vantage,
        started=round(started, 3),
        duration_ms=round(duration, 3),
    )


def _label(probe: Probe, seen: Observation) -> str:
    """Return the probe's label with what its placeholders stood for, as far as it was told."""
    told = {
        name: str(getattr(seen, name))
        for name in probe.__struct_fields__
        if "${" in str(getattr(probe, name)) and getattr(seen, name, None)
    }
    return msgspec.structs.replace(probe, **told).label


def _vantage(probe: Probe) -> str:
    return probe.vantage


async def _never_raising(
    asking: Awaitable[Observation | list[Observation]], probes: list[Probe]
) -> list[Observation]:
    try:
        seen = await asking
    except Exception as error:
        message = f"the probe failed with {type(error).__name__} at {_raised_at(error)}"
        failure = Failure(kind=FailureKind.INTERNAL_ERROR, message=message)
        return [unanswered(probe, failure) for probe in probes]
    return seen if isinstance(seen, list) else [seen]


def _raised_at(error: Exception) -> str:
    """Return where ``error`` was raised; not its text, which may quote what was sent."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if PACKAGE in Path(frame.filename).parents]
    places = dict.fromkeys(
        f"{Path(frame.filename).name}:{frame.lineno}" for frame in (*own[-1:], *frames[-1:])
    )
    return ", ".join(places)


async def in_thread(work: Callable[[], T], deadline: float) -> T:
    """Run blocking ``work`` in a daemon thread. Raises TimeoutError after ``deadline`` seconds.

    Not an executor: its threads are joined at exit, and one that hangs would keep the run alive.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(setter: Callable[[object], None], value: object) -> None:
        if not done.done():
            setter(value)

    def run() -> None:
        try:
            outcome: tuple[Callable[[object], None], object] = (done.set_result, work())  # type: ignore[assignment]
        except BaseException as error:
            outcome = (done.set_exception, error)  # type: ignore[assignment]
        with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
            loop.call_soon_threadsafe(settle, *outcome)

    threading.Thread(target=run, name="probe", daemon=True).start()
    return await asyncio.wait_for(done, deadline)
