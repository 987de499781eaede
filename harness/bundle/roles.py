"""The database users' permissions, as the last run's logins from inside the task saw them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness import recorder
from harness.bundle.logs import File
from harness.observation import PostgresObservation
from harness.reports.deployment import OBSERVATIONS

NEEDS_A_RUN = "run 'make test ENV={name}' first: a login from inside the task shows permissions"


def permissions(run: Path) -> Iterator[File]:
    """Yield what each login of that run could do in the database; nothing without a login."""
    seen = recorder.read(run / OBSERVATIONS).values() if (run / OBSERVATIONS).is_file() else ()
    lines = [
        f"{each.user or '?'}: " + (_facts(each) or each.message)
        for each in seen
        if isinstance(each, PostgresObservation)
    ]
    if lines:
        yield "database-users.txt", "\n".join(sorted(set(lines))) + "\n"


def _facts(login: PostgresObservation) -> str:
    return (
        ", ".join(f"{name} {value}" for name, value in sorted(login.facts.items())) or "logged in"
    )
