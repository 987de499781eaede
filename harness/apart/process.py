"""The other process. It ends, with what a journey made removed, when pytest's does."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from harness import env_file, environment, project, requirements
from harness.apart import foresight
from harness.apart.messages import (
    Again,
    Answer,
    Begin,
    Conclude,
    Line,
    Load,
    Loaded,
    Read,
    Seen,
    Show,
    Start,
    Told,
)
from harness.apart.run import Run
from harness.errors import Missing, UsageError, place
from harness.observation import Observation
from harness.probes.stage import StageError
from harness.project import ROOT, Project
from harness.reports import folders
from harness.specs import JourneyProbe

# By then what is asked at once has been sent, and what answers soon has answered.
QUIET_AFTER_S = 0.2
SWITCH_EVERY_S = 0.0005


def serve(connection: socket.socket, arguments: Sequence[str]) -> None:
    """Serve the process at the other end, pytest with these arguments, until it ends."""
    # Messages are not to queue behind the probes: somebody waits for each.
    sys.setswitchinterval(SWITCH_EVERY_S)
    if Path.cwd() == ROOT:
        with contextlib.suppress(UsageError):  # pytest's process tells
            env_file.load(ROOT)
    with connection:
        Serving(Line(connection), arguments).serve()


class Serving:
    """Does what it is told, until there is nobody to tell it anything."""

    def __init__(self, line: Line, arguments: Sequence[str]) -> None:
        self._line = line
        self._kept_at = foresight.place_for(arguments, os.environ)
        self._closing = contextlib.ExitStack()
        self._data: project.Data | None = None
        self._loading = threading.Lock()
        self._project: Project | None = None
        self._foreseen: foresight.Foreseen | None = None
        self._run: Run | None = None
        # What is to be kept for the next time, unless something was set after this process began.
        self._asked: list[Any] | None = None
        self._keeps = True

    def serve(self) -> None:
        """Serve until the connection ends."""
        with self._closing:
            self._foresee()
            # Beside what it is told to do, for which somebody waits.
            threading.Thread(target=self._get_ready, daemon=True).start()
            for message in self._line.messages(Told):
                self._do(message)
            self._keep()

    def _get_ready(self) -> None:
        """Load what most runs need, once what was foreseen is asked and what answers soon has."""
        if (foreseen := self._run) is not None:
            foreseen.until_answered(QUIET_AFTER_S)
        for prepare in (self._load_data, _driver, _templates):
            # What cannot be had is told when it is asked for.
            with contextlib.suppress(Exception):
                prepare()

    def _do(self, message: Told) -> None:
        match message:
            case Load():
                self._answer(message.number, lambda: self._load(message))
            case Begin():
                self._answer(message.number, lambda: self._begin(message))
            case Start():
                self._start(message.probes)
            case Again():
                self._aside(message.number, lambda: self._again(message))
            case Read():
                self._aside(message.number, lambda: self._read(message))
            case Show():
                self._begun.show(message)
            case Conclude():
                self._answer(message.number, lambda: self._begun.conclude(message.judged))

    def _load_data(self) -> project.Data:
        with self._loading:
            self._data = self._data or project.load_data()
            return self._data

    def _foresee(self) -> None:
        """Begin the run if it is known what it will ask, and nothing that it needs is missing."""
        with contextlib.suppress(UsageError, Missing, OSError):
            if self._kept_at is None or (found := foresight.recall(self._kept_at)) is None:
                return
            credentials = environment.credentials(os.environ)
            tested = found.project.environment
            for probe in found.probes:
                requirements.check(probe, tested, credentials)
            folder = folders.new(Path(found.reports), tested.name)
            writes = tested.policy.writes
            begun = Run(found.project, folder, self._tell)
            begun.ask(self._closing, writes=writes)
            begun.observing.collector.start(found.probes)
            self._run = begun
            self._foreseen, self._data = found, found.project.data

    def _load(self, told: Load) -> Loaded:
        self._keeps = foresight.same(told.variables, os.environ)
        if self._keeps and self._run is not None and told.name == self._run.name:
            return Loaded(self._run.project, str(self._run.folder))
        # What was begun on wrong grounds is taken back; what was asked stays recorded.
        self._run = self._foreseen = None
        self._closing.close()
        os.environ.clear()
        os.environ.update(told.variables)
        tested = project.load_environment(told.name, os.environ)
        self._project = Project(environment=tested, data=self._load_data())
        return Loaded(self._project, None)

    def _begin(self, told: Begin) -> None:
        folder = Path(told.folder)
        if self._run is None or self._run.folder != folder:
            if self._project is None:
                raise UsageError("no environment has been loaded")
            begun = Run(self._project, folder, self._tell)
            if told.asks:
                begun.ask(self._closing, writes=told.writes)
            self._run = begun
        self._run.write_to(Path(told.allure) if told.allure else None)

    @property
    def _begun(self) -> Run:
        if self._run is None:
            raise UsageError("the run has not begun")
        return self._run

    def _start(self, probes: list[Any]) -> None:
        self._begun.start(probes)
        if self._asked is None:
            self._asked = probes

    def _keep(self) -> None:
        """Keep what was asked for the next time, if this time was another one."""
        if self._run is None or self._asked is None or self._kept_at is None or not self._keeps:
            return
        asked = tuple(probe for probe in self._asked if not isinstance(probe, JourneyProbe))
        reports = str(self._run.folder.parent.parent)
        found = foresight.Foreseen(self._run.project, reports, asked)
        if found != self._foreseen:
            foresight.keep(self._kept_at, found, self._run.redactor)

    def _again(self, asked: Again) -> list[Observation]:
        return self._begun.observing.collector.again(asked.keys)

    def _read(self, asked: Read) -> dict[str, Any]:
        if (clients := self._begun.observing.clients) is None:
            raise UsageError("the environment has no aws section")
        return clients.read(asked.service, asked.operation, **asked.parameters)

    def _aside(self, number: int, work: Callable[[], Any]) -> None:
        """Do what takes its time in a thread: there may be more to do meanwhile."""
        threading.Thread(target=self._answer, args=(number, work), daemon=True).start()

    def _answer(self, number: int, work: Callable[[], Any]) -> None:
        try:
            answer = Answer(number, msgspec.to_builtins(work()))
        except StageError as error:
            answer = Answer(number, failure=error.failure)
        except UsageError as error:
            answer = Answer(number, usage=str(error))
        except OSError as error:
            answer = Answer(number, error=error.errno or errno.EIO)
        except Exception as error:
            answer = Answer(number, broken=place(error))
        self._tell(answer)

    def _tell(self, heard: Seen | Answer) -> None:
        with contextlib.suppress(OSError):  # there is nobody left to tell
            self._line.send(heard)


def _driver() -> None:
    importlib.import_module("psycopg2")


def _templates() -> None:
    from harness.reports.handoff import rendering

    rendering.get_ready()
