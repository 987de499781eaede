"""Scenarios: named sets of faults, one YAML file each in this folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from lab.home import LabError

FOLDER = Path(__file__).parent
HEALTHY = "healthy"


class Step(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault of a scenario, what it explains, and why this cause was chosen."""

    fault: str
    explains: tuple[str, ...] = ()
    because: str = ""


class Scenario(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A scenario's file."""

    description: str
    faults: tuple[Step, ...]


def names() -> list[str]:
    """The scenarios that there are."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str) -> Scenario:
    """Read a scenario. Raises LabError for an unknown name or a file that is not one."""
    path = FOLDER / f"{name}.yaml"
    if name not in names():
        raise LabError(f"there is no scenario '{name}'; there are: {', '.join(names())}")
    try:
        return msgspec.yaml.decode(path.read_bytes(), type=Scenario)
    except msgspec.MsgspecError as error:
        raise LabError(f"{path.name}: {error}") from None
