"""What one pytest process knows of the run it takes part in."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest
from _pytest.outcomes import Skipped

from harness.catalogue import Catalogue
from harness.diagnosis import Graph
from harness.environment import Credentials, Environment
from harness.observation import FailureKind
from harness.observer import Observer
from harness.project import Project
from harness.redaction import Redactor
from harness.reports.hands import Hands

if TYPE_CHECKING:
    from harness.plugin.begin import Workers


class Blocked(Skipped):
    """A check that could not be judged. Shown as blocked, never counted as passed."""

    def __init__(
        self, reason: str, remedy: str | None = None, kind: FailureKind | None = None
    ) -> None:
        self.reason, self.remedy, self.kind = reason, remedy, kind
        super().__init__(f"blocked: {reason}" + (f" ({remedy})" if remedy else ""))


class Beginning(NamedTuple):
    """What a run begins with: its folder is made, and nothing is asked yet."""

    project: Project
    credentials: Credentials
    redactor: Redactor
    folder: Path
    allure: Path | None
    writes: bool


@dataclass
class Run:
    """One process's share in a run: what is tested, who observes, where the reports go."""

    begun: Beginning
    workers: Workers
    closing: contextlib.ExitStack
    started: float = field(default_factory=time.time)

    @property
    def environment(self) -> Environment:
        """What is tested."""
        return self.begun.project.environment

    @property
    def catalogue(self) -> Catalogue:
        """The documented failures."""
        return self.begun.project.data.catalogue

    @property
    def graph(self) -> Graph:
        """The platform's dependencies."""
        return self.begun.project.data.graph

    @property
    def credentials(self) -> Credentials:
        """What the environment's secrets are."""
        return self.begun.credentials

    @property
    def redactor(self) -> Redactor:
        """Takes the secrets out of what is written."""
        return self.begun.redactor

    @property
    def folder(self) -> Path:
        """Where the reports go."""
        return self.begun.folder

    @property
    def id(self) -> str:
        """The run's id: when it began, and a random part."""
        return self.folder.name

    @property
    def observer(self) -> Observer:
        """Who is asked for observations."""
        return self.workers.observer

    @property
    def hands(self) -> Hands:
        """Who writes the reports."""
        return self.workers.hands

    def close(self) -> None:
        """Stop observing and close the record."""
        self.closing.close()


RUN = pytest.StashKey[Run]()
