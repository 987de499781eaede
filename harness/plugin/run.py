"""What one pytest process knows of the run it takes part in."""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from _pytest.outcomes import Skipped

from harness import catalogue, diagnosis, environment
from harness.catalogue import Catalogue
from harness.diagnosis import Graph
from harness.environment import Credentials, Environment
from harness.errors import UsageError
from harness.observation import FailureKind
from harness.observer import Observer
from harness.redaction import Redactor
from harness.reports.handoff import picture
from harness.reports.handoff.picture import Layout

if TYPE_CHECKING:
    from harness.aws.apart import AnyClients

ROOT = Path(__file__).parent.parent.parent


class Blocked(Skipped):
    """A check that could not be judged. Shown as blocked, never counted as passed."""

    def __init__(
        self, reason: str, remedy: str | None = None, kind: FailureKind | None = None
    ) -> None:
        self.reason, self.remedy, self.kind = reason, remedy, kind
        super().__init__(f"blocked: {reason}" + (f" ({remedy})" if remedy else ""))


@dataclass
class Run:
    """One process's share in a run: what is tested, who observes, where the reports go."""

    environment: Environment
    catalogue: Catalogue
    graph: Graph
    credentials: Credentials
    redactor: Redactor
    folder: Path
    observer: Observer
    closing: contextlib.ExitStack
    clients: AnyClients | None = None
    started: float = field(default_factory=time.time)

    @property
    def id(self) -> str:
        """The run's id: when it began, and a random part."""
        return self.folder.name

    def close(self) -> None:
        """Stop observing and close the record."""
        self.closing.close()


RUN = pytest.StashKey[Run]()


def load(name: str, variables: Mapping[str, str] = os.environ) -> tuple[Environment, Credentials]:
    """Return the environment and the credentials given for it. Raises UsageError."""
    return environment.load(name, ROOT / "environments", variables), environment.credentials(
        variables
    )


def known_environments() -> list[str]:
    """Return the names of the environments there are."""
    return environment.known_environments(ROOT / "environments")


def load_catalogue() -> Catalogue:
    """Return the catalogue of documented failures. Raises UsageError."""
    return catalogue.load(ROOT / "failures")


def new_folder(reports: Path, environment_name: str) -> Path:
    """Make the folder of a new run. Raises UsageError."""
    run_id = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"
    folder = reports / environment_name / run_id
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"{folder}: the report folder cannot be made: {error.strerror}; "
            "choose another with --reports=FOLDER"
        ) from None
    return folder


def link_latest(folder: Path) -> None:
    """Let ``latest`` lead to a run: to be called when it has something to say."""
    # Renamed into place, so that a reader never finds it missing.
    temporary = folder.with_name(f".latest-{folder.name}")
    temporary.symlink_to(folder.name)
    temporary.replace(folder.with_name("latest"))


def load_graph() -> Graph:
    """Return the platform's dependency graph. Raises UsageError."""
    return diagnosis.load(ROOT / "causes" / "platform.yaml")


def load_layout() -> Layout:
    """Return the layout of the hand-off's picture. Raises UsageError."""
    return picture.load(ROOT / "causes" / "request-path.yaml")
