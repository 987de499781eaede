"""An environment's history for Allure: one line a run, in the order of the runs.

A report is built beside a copy; its line is merged under a lock. So runs may be reported in
parallel, late or again, and each is in the history once.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness import whole
from harness.errors import UsageError

NAME = "allure-history.jsonl"
KEPT = 50
LOCK_DEADLINE_S = 10.0

Point = dict[str, Any]


def point_name(environment: str, run: str) -> str:
    """Return the name that a run has in the history; it ends in the run's id."""
    return f"Hokusai acceptance of {environment}: run {run}"


def borrow(run: Path, copy: Path) -> Path:
    """Write the history before ``run`` to ``copy``, for Allure to read and to append to."""
    with _locked(run.parent):
        earlier = [point for point in _read(run.parent / NAME) if _run_of(point) < run.name]
    copy.write_text("".join(map(_line, earlier[-KEPT:])), encoding="utf-8")
    return copy


def keep(run: Path, copy: Path) -> None:
    """Merge what Allure appended to ``copy`` for ``run`` into the environment's history."""
    added = [point for point in _read(copy) if _run_of(point) == run.name][-1:]
    with _locked(run.parent):
        file = run.parent / NAME
        points = [point for point in _read(file) if _run_of(point) != run.name] + added
        points.sort(key=_run_of)
        whole.write(file, "".join(map(_line, points[-KEPT:])).encode())


def _run_of(point: Point) -> str:
    return str(point.get("name", "")).rpartition(" ")[2]


def _read(file: Path) -> list[Point]:
    """Return the history's lines; a torn or foreign one is passed over."""
    points: list[Point] = []
    if not file.is_file():
        return points
    for line in file.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            point = json.loads(line)
            if isinstance(point, dict):
                points.append(point)
    return points


def _line(point: Point) -> str:
    return json.dumps(point, ensure_ascii=False, separators=(",", ":")) + "\n"


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    lock = folder / f".{NAME}.lock"
    deadline = time.monotonic() + LOCK_DEADLINE_S
    with lock.open("w") as held:
        while True:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UsageError(
                        f"{lock}: another report holds it for {LOCK_DEADLINE_S:g} s: "
                        "wait for it, then make report again"
                    ) from None
                time.sleep(0.05)
        yield
