"""Runs one command, and tells what it took: wall and CPU seconds, memory of all its processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

SAMPLE_EVERY_S = 0.005
MIB = 1 << 20
LONGEST_S = 900.0


class Command(NamedTuple):
    """What is run, and where; ``exits`` are the exit codes with which it has done its work."""

    arguments: Sequence[str]
    folder: Path
    variables: Mapping[str, str] = {}
    exits: frozenset[int] = frozenset({0})


class Took(msgspec.Struct, frozen=True):
    """What one run took: seconds of wall and CPU time."""

    wall_s: float
    cpu_s: float


class Failed(Exception):
    """A command that did not do its work: what it took says nothing."""


def timed(command: Command) -> Took:
    """Run ``command``, undisturbed. Raises Failed."""
    begun, before = time.perf_counter(), os.times()
    try:
        done = subprocess.run(
            command.arguments,
            cwd=command.folder,
            env=_environment(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=LONGEST_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(str(error)) from None
    wall, after = time.perf_counter() - begun, os.times()
    _require_done(command, done.returncode, done.stdout)
    cpu = after.children_user + after.children_system
    return Took(wall, cpu - before.children_user - before.children_system)


def loop_s() -> float:
    """Return the seconds that ten million additions take: how fast the machine is just now."""
    begun, total = time.perf_counter(), 0
    for number in range(10_000_000):
        total += number
    return time.perf_counter() - begun


def peak_mib(command: Command) -> float:
    """Run ``command`` and return the most memory that all of its processes had. Raises Failed.

    A page that processes share counts once (proportional set size): a forked process is not
    charged for what it only inherited.
    """
    peak = 0.0
    with subprocess.Popen(
        command.arguments,
        cwd=command.folder,
        env=_environment(command),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running:
        watched = psutil.Process(running.pid)
        while running.poll() is None:
            peak = max(peak, _tree_mib(watched))
            with contextlib.suppress(subprocess.TimeoutExpired):
                running.wait(SAMPLE_EVERY_S)
    _require_done(command, running.returncode, b"")
    return peak


def _tree_mib(watched: psutil.Process) -> float:
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in (watched, *watched.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                total += process.memory_full_info().pss
    return total / MIB


def _environment(command: Command) -> dict[str, str]:
    # Neither a lab's settings nor a proxy of the shell may take part.
    kept = {"PATH", "HOME", "LANG", "TMPDIR"}
    return {k: v for k, v in os.environ.items() if k in kept} | dict(command.variables)


def _require_done(command: Command, code: int, output: bytes) -> None:
    if code not in command.exits:
        last = output.decode("utf-8", "replace")[-2000:]
        raise Failed(f"{' '.join(command.arguments)[:200]}: exit code {code}\n{last}")
