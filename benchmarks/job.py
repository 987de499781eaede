"""The 40-check job: what every contestant checks, and how fast its targets answer.

Each check has a target of its own (`benchmarks.targets`), so that no tool saves a request; only the
names are looked up at one resolver, as one does.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Kind = Literal["http", "tls", "dns", "tcp", "postgres"]
COUNTS: dict[Kind, int] = {"http": 16, "tls": 6, "dns": 6, "tcp": 6, "postgres": 6}
DEADLINE_S = 2.0
SLOW_S = 1.0
SLOW: tuple[Kind, ...] = ("http", "dns", "postgres")
NEVER: tuple[Kind, ...] = ("http", "tls", "dns", "postgres")
PACES = {"1 ms": 0.001, "50 ms": 0.05, "never": 0.001}


class Check(msgspec.Struct, frozen=True):
    """One check of the job. ``delay`` is in seconds; None is a target that never answers."""

    kind: Kind
    number: int
    delay: float | None

    @property
    def name(self) -> str:
        """What distinguishes it: a path, a name to look up, a database."""
        return (
            f"{self.kind}-{self.number}.bench"
            if self.kind == "dns"
            else f"{self.kind}-{self.number}"
        )


class Target(msgspec.Struct, frozen=True):
    """Where a check of the job finds its target."""

    check: Check
    port: int


class Job(msgspec.Struct, frozen=True):
    """A job that is being served."""

    targets: tuple[Target, ...]
    ca: str

    def of(self, kind: Kind) -> list[Target]:
        """Return the targets of one kind."""
        return [target for target in self.targets if target.check.kind == kind]


def checks(pace: str) -> list[Check]:
    """Return the job's checks at a pace: with ``never``, three are slow and four never answer."""
    delay = PACES[pace]
    made = [Check(kind, n, delay) for kind, count in COUNTS.items() for n in range(count)]
    if pace != "never":
        return made
    slow = {Check(kind, 0, delay): Check(kind, 0, SLOW_S) for kind in SLOW}
    silent = {Check(kind, 1, delay): Check(kind, 1, None) for kind in NEVER}
    changed = slow | silent
    return [changed.get(check, check) for check in made]
