"""What a fault is, and the table of all of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module

from lab.platform import Platform

Change = Callable[[Platform], None]

FAULTS: dict[str, Fault] = {}
_MODULES = ("discovery", "services", "edge")


@dataclass(frozen=True, slots=True)
class Fault:
    """One named change. `summary` says what is wrong, in one sentence."""

    name: str
    summary: str
    apply: Change
    heal: Change


def declare(name: str, summary: str, *, apply: Change, heal: Change) -> None:
    """Enter a fault into the table. Raises ValueError for a name that is taken."""
    if name in FAULTS:
        raise ValueError(f"there are two faults named '{name}'")
    FAULTS[name] = Fault(name, summary, apply, heal)


def find(name: str) -> Fault:
    """The fault of a name. Raises LookupError that names the nearest ones."""
    import difflib

    for module in _MODULES:
        import_module(f"lab.faults.{module}")
    if name not in FAULTS:
        near = difflib.get_close_matches(name, FAULTS, n=3)
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        raise LookupError(f"there is no fault '{name}'{hint}")
    return FAULTS[name]
