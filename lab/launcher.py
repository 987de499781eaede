"""Starts the tasks of ECS with the programs in `lab.images`, and runs commands inside of them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from lab.ecs.model import Process, StartError, Task
from lab.images import find
from lab.tasks import TaskHosts, TaskProcess, UnknownImageError, exec_argv
from lab.tasks.inside import Surroundings, toolbox


class ImageLauncher:
    """What `lab.ecs.lifecycle` asks for, on top of the task hosts."""

    def __init__(self, hosts: TaskHosts, *, folder: Path, resolver: str, policy: Path) -> None:
        """`folder` is for the tasks' own folders, `resolver` an address:port."""
        self._hosts, self._folder = hosts, folder
        self._resolver, self._policy = resolver, policy

    def launch(self, task: Task, environment: dict[str, str], address: str, log: Path) -> Process:
        """Start the task's image. Raises StartError if it cannot be pulled."""
        surroundings = Surroundings(
            address=address,
            resolver=self._resolver,
            policy=self._policy,
            folder=self._folder / task.id,
        )
        try:
            process = self._hosts.start(task.container["image"], environment, surroundings, log)
        except UnknownImageError as error:
            raise StartError(str(error)) from None
        return _LaunchedTask(process, environment)


class _LaunchedTask:
    """A task's process, with what a command inside of it needs to know."""

    def __init__(self, process: TaskProcess, environment: dict[str, str]) -> None:
        self._process, self.environment = process, environment
        self.surroundings = process.surroundings

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        return self._process.poll()

    def stop(self, grace: float) -> None:
        self._process.stop(grace)
        shutil.rmtree(self.surroundings.folder, ignore_errors=True)


def command_inside(task: Task, argv: Sequence[str]) -> tuple[list[str], dict[str, str], Path]:
    """How to run a command inside a running task: argv, environment, folder.

    Raises LookupError when the task does not run.
    """
    launched = task.process
    if not isinstance(launched, _LaunchedTask) or launched.poll() is not None:
        raise LookupError(f"task {task.id} does not run")
    argv, environment, folder = exec_argv(launched.surroundings, launched.environment, argv)
    missing = find(task.container["image"]).missing
    if missing:
        environment["PATH"] = str(toolbox(folder.parent, missing))
    return argv, environment, folder
