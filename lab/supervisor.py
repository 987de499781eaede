"""The process that is the lab: starts every part, keeps them together, takes them down again."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

from lab import home, process
from lab.addresses import Network
from lab.home import Record
from lab.parts import Parts

READY_WITHIN = 30.0
_POLL = 0.02
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_REMIND_AFTER = 0.25

Announce = Callable[[dict[str, Any]], None]


class Stopped(BaseException):
    """The lab was asked to end."""


@dataclass(frozen=True, slots=True)
class Order:
    """What lab to run: `number` None takes the first that is free."""

    scenario: str
    number: int | None = None


def run(order: Order, announce: Announce, leash: int | None = None) -> None:
    """Run a lab until it is asked to end (SIGTERM, SIGINT, or end of file on `leash`).

    `announce` gets `{"part": …, "seconds": …}` as parts become ready, then `{"ready": …}`.
    """
    process.begin()
    with contextlib.suppress(Stopped), ExitStack() as stack, _asked_to_end():
        if leash is not None:
            _watch(leash)
        _run(order, announce, stack)


def _run(order: Order, announce: Announce, stack: ExitStack) -> None:
    began = time.monotonic()

    def tell(part: str) -> None:
        announce({"part": part, "seconds": round(time.monotonic() - began, 3)})

    from lab.scenarios import load

    load(order.scenario)  # a wrong name is told before anything is started
    network, listener = home.claim(order.number)
    stack.callback(listener.close)
    record = _open(order, network, stack)
    parts = Parts(network, listener, record, tell)
    stack.callback(parts.close)
    environment = parts.boot(order.scenario)
    record = replace(record, environment=environment)
    home.write_record(record)
    _wait_until_settled(parts)
    tell("tasks")
    announce({"ready": True, "number": network.number, "environment": environment})
    while True:
        signal.pause()


def _open(order: Order, network: Network, stack: ExitStack) -> Record:
    logs = home.new_logs(network.number)
    sockets = home.sockets_folder(network.number)
    pid = os.getpid()
    record = Record(
        number=network.number,
        pid=pid,
        started=home.process_start(pid),
        scenario=order.scenario,
        logs=str(logs),
        sockets=str(sockets),
    )
    stack.callback(home.remove_folder, network.number)
    home.open_folder(record)
    if sockets != record.folder:
        stack.callback(shutil.rmtree, sockets, ignore_errors=True)
        sockets.mkdir(mode=0o700, exist_ok=True)
    _log_to(logs / "lab.log")
    return record


def _wait_until_settled(parts: Parts) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while not parts.settled():
        if time.monotonic() > deadline:
            raise home.LabError(f"not ready after {READY_WITHIN:.0f} s: {parts.unsettled()}")
        time.sleep(_POLL)


@contextmanager
def _asked_to_end() -> Iterator[None]:
    """Raise Stopped in the main thread after a signal; from the end of the block on, ignore all."""
    asked, ending = threading.Event(), threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        asked.set()
        raise Stopped

    def remind() -> None:
        # What is raised in a finaliser or a callback of an import is lost there.
        asked.wait()
        while not ending.wait(_REMIND_AFTER):
            os.kill(os.getpid(), signal.SIGTERM)

    for number in _SIGNALS:
        signal.signal(number, end)
    threading.Thread(target=remind, name="reminder", daemon=True).start()
    try:
        yield
    finally:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        ending.set()


def _watch(leash: int) -> None:
    """End with the process that holds the other end of a pipe, however that process ends."""

    def wait() -> None:
        while os.read(leash, 1):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="leash", daemon=True).start()


def _log_to(path: Path) -> None:
    form = "%(asctime)s %(levelname)s %(name)s %(message)s"
    logging.basicConfig(filename=path, level=logging.WARNING, format=form)
