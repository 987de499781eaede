"""Collects the parts of a bundle at once, each within bounds; what fails is said, not raised."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotDone
from pathlib import Path
from typing import NamedTuple

from harness.bundle import logs, roles, state
from harness.bundle.logs import File
from harness.bundle.source import Source
from harness.probes.stage import StageError

WORKERS = 8
Progress = Callable[[str], None]
Read = Callable[[Source], Iterable[File]]


class Part(NamedTuple):
    """One thing that is asked for: its id in the catalogue, what it is, how it is read."""

    id: str
    text: str
    read: Read


class Collected(NamedTuple):
    """A part, the files of it, and why it could not be had whole (empty: it could)."""

    part: Part
    files: tuple[File, ...]
    lacking: str
    remedy: str


PARTS = (
    Part("task-logs", "Task logs of the three services", logs.task_logs),
    Part("rds-logs", "The database's own logs", logs.database_logs),
    Part("security-groups", "Security groups of tasks, database, balancers", state.security_groups),
    Part("cloud-map", "The state of Cloud Map", state.cloud_map),
    Part("access-logs", "Load balancer access logs around server errors", logs.access_logs),
    Part("secret-configuration", "How the secret is wired", state.secret_configuration),
    Part("task-definitions", "Task definitions, and their changes", state.task_definitions),
    Part("deployments", "Deployments, events, stopped tasks", state.deployments),
    Part("target-health", "Target health", state.target_health),
)


def collect(
    source: Source, run: Path, seconds: float, tell: Progress, asked_for: Iterable[Part] = PARTS
) -> list[Collected]:
    """Return every part, in the order of ``asked_for``, after at most so many seconds.

    ``run`` is the folder of the environment's last run; ``tell`` hears of each part that is done.
    """
    parts = (*asked_for, _users(source, run))
    deadline = time.monotonic() + seconds
    pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="bundle")
    try:
        waiting = [pool.submit(_read, part, source) for part in parts]
        found = []
        for part, each in zip(parts, waiting, strict=True):
            found.append(_result(part, each, deadline, seconds))
            tell(f"{part.id}: {found[-1].lacking or f'{len(found[-1].files)} files'}")
        return found
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _users(source: Source, run: Path) -> Part:
    def read(_source: Source) -> Iterable[File]:
        found = tuple(roles.permissions(run))
        if not found:
            remedy = roles.NEEDS_A_RUN.format(name=source.environment.name)
            raise _Lacking("no login was observed", remedy)
        return found

    return Part("database-users", "Permissions of the database users", read)


class _Lacking(Exception):
    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


def _read(part: Part, source: Source) -> Collected:
    files: list[File] = []
    try:
        files.extend(part.read(source))
    except StageError as error:
        return Collected(part, tuple(files), str(error), error.failure.remedy or "")
    except _Lacking as error:
        return Collected(part, tuple(files), str(error), error.remedy)
    except Exception as error:
        # One part that cannot be read must not cost the others; its text may quote anything.
        told = f"it could not be read: {type(error).__name__}"
        return Collected(part, tuple(files), told, "report this: it is a defect of the suite")
    return Collected(part, tuple(files), "", "")


def _result(part: Part, reading: Future[Collected], deadline: float, seconds: float) -> Collected:
    try:
        return reading.result(max(0.0, deadline - time.monotonic()))
    except NotDone:
        remedy = "give it more time with --within, or fewer --hours"
        return Collected(part, (), f"not done within {seconds:.0f} s", remedy)
