"""Vantage points: where a probe runs from: this machine (``runner``) or inside a task."""

from __future__ import annotations

import shlex
import time
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from harness import in_task
from harness.environment import Aws, Service
from harness.in_task import shell
from harness.observation import AnyObservation, Failure, FailureKind, Observation
from harness.probes.blank import unanswered
from harness.probes.stage import StageError
from harness.specs import Probe

if TYPE_CHECKING:
    from harness.ecs_exec import EcsExec

START_ALLOWANCE = 10.0
NOT_FOUND = 127
# Standard input has, compressed, the script, two NULs, and what the script reads itself.
_START = (
    "exec python3 -c 'import io,sys,zlib;"
    "p,_,d=zlib.decompress(sys.stdin.buffer.read()).partition(bytes(2));"
    "sys.stdin=io.StringIO(d.decode());exec(p.decode())'"
)
_KINDS = {
    "NotPermittedError": FailureKind.NOT_PERMITTED,
    "CredentialsError": FailureKind.MISSING_CREDENTIAL,
    "ClockSkewError": FailureKind.MISSING_CREDENTIAL,
    "UnreachableError": FailureKind.RUNNER_OFFLINE,
}


class WayIn(Protocol):
    """Runs the in-task probe inside a service's running task."""

    def run(self, service: str, script: str, document: bytes, deadline: float) -> bytes:
        """Return what the script printed. Raises StageError if it could not be run."""


class EcsWayIn:
    """ECS Exec: one session a run in the newest running task of a service."""

    def __init__(self, aws: Aws, ecs: Callable[[], Any], plugin: str | None = None) -> None:
        """``ecs`` gives boto3's client, ``plugin`` is a session-manager-plugin to use instead."""
        self._aws, self._ecs, self._plugin = aws, ecs, plugin

    def run(self, service: str, script: str, document: bytes, deadline: float) -> bytes:
        """Run the script with the task's own Python, the document on its standard input."""
        from harness.ecs_exec.errors import EcsExecError, NoShellError

        if (names := self._aws.services.get(service)) is None:
            known = ", ".join(self._aws.services)
            message = f"{service}: the environment's aws.services has no such service, only {known}"
            raise StageError(FailureKind.MISSING_SETTING, message)
        entered = self._entered(names)
        try:
            try:
                return _by_shell(entered, service, script, document, deadline)
            except NoShellError:
                return entered.run_bare(in_task.command(document), deadline)
        except EcsExecError as error:
            kind = _KINDS.get(type(error).__name__, FailureKind.NO_VANTAGE_POINT)
            raise StageError(kind, f"{service}: {error.message}", error.remedy) from None

    def _entered(self, names: Service) -> EcsExec:
        from harness.ecs_exec import EcsExec

        cluster = self._aws.cluster
        return EcsExec(self._ecs(), cluster, names.service, names.container, plugin=self._plugin)


def _by_shell(
    entered: EcsExec, service: str, script: str, document: bytes, deadline: float
) -> bytes:
    until = time.monotonic() + deadline
    fed = zlib.compress(script.encode() + bytes(2) + document)
    answer = entered.run(_START, fed, deadline)
    if answer.status == NOT_FOUND:
        left = until - time.monotonic()
        asked = entered.run(shlex.join(shell.command(document)), None, left)
        return shell.answers(document, asked.stdout)
    return _printed(service, answer.status, answer.stdout, answer.stderr)


def _printed(service: str, status: int, stdout: bytes, stderr: bytes) -> bytes:
    if status == 0:
        return stdout
    last = stderr.decode("utf-8", "replace").strip().splitlines()[-1:]
    message = f"{service}: exit code {status}: {''.join(last)}"
    raise StageError(FailureKind.NO_VANTAGE_POINT, message)


def ask_here(probe: Probe) -> Observation:
    """Answer on this machine what only the in-task probe knows how to ask."""
    asking = in_task.module()
    seen = asking.answer(msgspec.to_builtins(probe))
    answer: Observation = msgspec.convert(
        asking.redacted(seen, asking.secrets()), AnyObservation, strict=False
    )
    return answer


class _Answers(msgspec.Struct, frozen=True):
    answers: tuple[AnyObservation, ...]


def ask(way_in: WayIn, service: str, probes: Sequence[Probe]) -> list[Observation]:
    """Answer all ``probes`` in one session inside the task of ``service``; never raises."""
    slowest = max(probe.deadline for probe in probes)
    questions: dict[str, Any] = {"questions": probes, "deadline": slowest}
    document = msgspec.json.encode(questions)
    try:
        script = in_task.shortest_source()
        printed = way_in.run(service, script, document, slowest + START_ALLOWANCE)
        answers = msgspec.json.decode(printed, type=_Answers).answers
    except StageError as error:
        return [unanswered(probe, error.failure) for probe in probes]
    except msgspec.MsgspecError as error:
        failure = Failure(
            kind=FailureKind.NO_VANTAGE_POINT,
            message=f"{service}: the in-task probe's answer cannot be read: {error}",
        )
        return [unanswered(probe, failure) for probe in probes]
    return list(answers)
