"""What a fault is, and the table of all of them."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from lab.platform import Platform

Change = Callable[[Platform], object]

_FAULTS: dict[str, Fault] = {}
_MODULES = (
    "tasks",
    "wiring",
    "secrets",
    "database",
    "discovery",
    "network",
    "edge",
    "pki",
)


@dataclass(frozen=True, slots=True)
class Fault:
    """One named change.

    `summary` says what is wrong, in one sentence. `changes` names the part of the platform that
    is changed, `deploys` the services that are deployed for it.
    """

    name: str
    summary: str
    changes: str
    apply: Change
    heal: Change
    deploys: tuple[str, ...] = ()

    def undoes(self, other: Fault) -> bool:
        """Whether the two cannot be there at once: one part of the platform, or one rollout."""
        rollouts = {f"{service} rollout" for service in self.deploys}
        others = {f"{service} rollout" for service in other.deploys}
        return self.changes == other.changes or self.changes in others or other.changes in rollouts


def declare(
    name: str,
    summary: str,
    *,
    changes: str,
    apply: Change,
    heal: Change,
    deploys: tuple[str, ...] = (),
) -> None:
    """Enter a fault into the table. Raises ValueError for a name that is taken."""
    if name in _FAULTS:
        raise ValueError(f"there are two faults named '{name}'")
    _FAULTS[name] = Fault(name, summary, changes, apply, heal, deploys)


def everything() -> dict[str, Fault]:
    """Every fault by its name, in the order of their areas."""
    for module in _MODULES:
        import_module(f"lab.faults.{module}")
    return _FAULTS


def find(name: str) -> Fault:
    """The fault of a name. Raises LookupError that names the nearest ones."""
    known = everything()
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise LookupError(f"there is no fault '{name}'{hint}")
    return known[name]
