"""An AWS that answers from a table, for tests of the bundle."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import environment
from harness.bundle.source import Source

ROOT = Path(__file__).parents[3]
Answer = dict[str, Any] | Callable[..., Any]


class Table:
    """Reads operations from a table; what is not in it raises KeyError."""

    def __init__(self, answers: dict[str, Answer]) -> None:
        self._answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def read(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Return the answer to `service.operation`."""
        self.asked.append((f"{service}.{operation}", parameters))
        found: Any = self._answers[f"{service}.{operation}"]
        answer: dict[str, Any] = found(**parameters) if callable(found) else found
        return answer

    def read_body(self, service: str, operation: str, most: int, /, **parameters: Any) -> bytes:
        """Return the first bytes of a body."""
        return bytes(self.read(service, operation, **parameters)["Body"][:most])


def source(answers: dict[str, Answer], hours: int = 24, **sections: dict[str, Any]) -> Source:
    """What parts read with: operations from the table, sections as given (`_` for `-`)."""
    tested = environment.load("local", ROOT / "environments", {})
    made = Source(Table(answers), tested, hours)  # type: ignore[arg-type]
    made._sections.update({name.replace("_", "-"): given for name, given in sections.items()})
    return made
