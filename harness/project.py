"""What a run is told by this project's files: the environment, and the data about the platform."""

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from harness import catalogue, diagnosis, environment, layout
from harness.catalogue import Catalogue
from harness.diagnosis import Graph
from harness.environment import Environment
from harness.layout import Layout

ROOT = Path(__file__).parent.parent


class Data(msgspec.Struct, frozen=True):
    """What is the same for every environment: documented failures, dependencies, the picture."""

    catalogue: Catalogue
    graph: Graph
    layout: Layout


class Project(msgspec.Struct, frozen=True):
    """The environment that is tested, and the data."""

    environment: Environment
    data: Data


def load_data() -> Data:
    """Return the data. Raises UsageError."""
    return Data(
        catalogue=load_catalogue(),
        graph=diagnosis.load(ROOT / "causes" / "platform.yaml"),
        layout=layout.load(ROOT / "causes" / "request-path.yaml"),
    )


def load_catalogue() -> Catalogue:
    """Return the catalogue of documented failures. Raises UsageError."""
    return catalogue.load(ROOT / "failures")


def load_environment(name: str, variables: Mapping[str, str] = os.environ) -> Environment:
    """Return the environment of that name. Raises UsageError."""
    return environment.load(name, ROOT / "environments", variables)


def known_environments() -> list[str]:
    """Return the names of the environments there are."""
    return environment.known_environments(ROOT / "environments")


def load(name: str, variables: Mapping[str, str] = os.environ) -> Project:
    """Return all of it for the environment of that name. Raises UsageError."""
    return Project(environment=load_environment(name, variables), data=load_data())
