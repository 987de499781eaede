"""Commands in one container of a task, with their output, their errors and their exit code."""

from __future__ import annotations

import threading
from typing import Any

from harness.ecs_exec import plugin as aws_plugin
from harness.ecs_exec import tasks
from harness.ecs_exec.framing import Answer, Bare, Frame
from harness.ecs_exec.plugin import Plugin
from harness.ecs_exec.session import Clock, converse
from harness.ecs_exec.tasks import Target

DEADLINE = 60.0
OUTPUT_AT_MOST = 64 * 1024 * 1024


class EcsExec:
    """Runs commands in a container of a service's newest running task, or in a given task.

    ``ecs`` is boto3's client of ECS. The task is chosen once, with the first command. Safe to use
    from several threads: each command has a session of its own.
    """

    def __init__(
        self,
        ecs: Any,
        cluster: str,
        service: str,
        container: str | None = None,
        *,
        task: str | None = None,
        output_at_most: int = OUTPUT_AT_MOST,
        plugin: str | None = None,
    ) -> None:
        """``task`` is an id or ARN; ``output_at_most`` is in bytes.

        ``plugin`` is a session-manager-plugin to use instead of this client's own WebSocket.
        """
        self._ecs, self._cluster, self._service = ecs, cluster, service
        self._container, self._task = container, task
        self._output_at_most, self._plugin = output_at_most, plugin
        self._target: Target | None = None
        self._choosing = threading.Lock()

    @property
    def target(self) -> Target:
        """The task and container that commands run in. Raises EcsExecError."""
        with self._choosing:
            if self._target is None:
                self._target = self._choose()
            return self._target

    def run(self, command: str, stdin: bytes | None = None, deadline: float = DEADLINE) -> Answer:
        """Run a shell command to its end, within ``deadline`` seconds.

        Raises EcsExecError: an exit code other than 0 is an answer, not an error.
        """
        clock = Clock(deadline)
        # Of base64: four letters for three bytes, and line ends.
        frame = Frame(command, stdin, self._output_at_most * 7 // 5 + 4096)
        ticket = tasks.order(self._ecs, self.target, frame.command)
        if self._plugin is None:
            return converse(ticket, frame, clock)
        plugin = Plugin(self._plugin, self._ecs.meta.region_name, self.target.session_target)
        return aws_plugin.converse(plugin, ticket, frame, clock)

    def run_bare(self, argv: list[str], deadline: float = DEADLINE) -> bytes:
        """Start a program without a shell, for images that have none; returns what it printed.

        Both outputs are one, bytes that are not UTF-8 are lost, and there is no exit code: that is
        all that a session gives by itself. Not through the plugin. Raises EcsExecError.
        """
        clock = Clock(deadline)
        bare = Bare(argv, self._output_at_most)
        return converse(tasks.order(self._ecs, self.target, bare.command), bare, clock).stdout

    def _choose(self) -> Target:
        if self._task is not None:
            return tasks.given(self._ecs, self._cluster, self._task, self._container)
        return tasks.choose(self._ecs, self._cluster, self._service, self._container)
