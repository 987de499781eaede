"""``.env``: variables for a checkout, kept out of git; what a shell sets goes before it."""

from __future__ import annotations

import os
from collections.abc import MutableMapping
from pathlib import Path

from harness.errors import UsageError

NAME = ".env"


def load(folder: Path, variables: MutableMapping[str, str] = os.environ) -> list[str]:
    """Set the variables of ``folder``'s .env that are not set; returns their names.

    Values are taken as they stand: nothing in them is expanded. Raises UsageError.
    """
    path = folder / NAME
    if not path.is_file():
        return []
    given = _read(path)
    fresh = {name: value for name, value in given.items() if name not in variables}
    variables.update(fresh)
    return sorted(fresh)


def _read(path: Path) -> dict[str, str]:
    from dotenv.parser import parse_stream

    found: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8") as stream:
            for binding in parse_stream(stream):
                if binding.error:
                    # Not the line itself: it may hold a secret.
                    line = binding.original.line
                    raise UsageError(f"{path}, line {line}: not NAME=value; correct or remove it")
                if binding.key:
                    found[binding.key] = binding.value or ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error.__class__.__name__}") from None
    return found
