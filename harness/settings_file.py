"""Reading a YAML data file into a typed value, with errors that name the file and the place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from harness.errors import UsageError

if TYPE_CHECKING:
    import yaml

T = TypeVar("T")
# What a value that has to match a pattern looks like, for people.
EXAMPLES: dict[str, str] = {}


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the mapping in ``path``. Raises UsageError naming file, line and column."""
    # Imported here: with a head start, the other process reads the files.
    import yaml

    # The safe loader in C, where there is one: every start reads a dozen files.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except yaml.YAMLError as error:
        raise UsageError(f"{path}{_place(error)}: is not valid YAML: {_problem(error)}") from None
    if not isinstance(document, dict):
        raise UsageError(f"{path}: must hold a mapping of settings at the top level")
    return document


def convert(document: dict[str, Any], kind: type[T], path: Path) -> T:
    """Return ``document`` as a ``kind``. Raises UsageError naming the file and the key."""
    try:
        return msgspec.convert(document, kind, strict=True)
    except msgspec.ValidationError as error:
        if "got `null`" in str(error):
            empty = ", ".join(_empty(document))
            raise UsageError(
                f"{path}: without a value: {empty}; fill it in, or leave it out"
            ) from None
        raise UsageError(f"{path}: {told(error).replace('$.', '')}") from None


def _empty(document: dict[str, Any], above: str = "") -> Iterator[str]:
    for key, value in document.items():
        if isinstance(value, dict):
            yield from _empty(value, f"{above}{key}.")
        elif value is None:
            yield f"{above}{key}"


def told(error: msgspec.ValidationError) -> str:
    """Return what is wrong with a value; an example instead of a pattern that it has to match."""
    text = str(error)
    for pattern, example in EXAMPLES.items():
        text = text.replace(f"matching regex {pattern!r}", f"like {example}")
    return text


def _place(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    return f":{mark.line + 1}:{mark.column + 1}" if mark else ""


def _problem(error: yaml.YAMLError) -> str:
    return str(getattr(error, "problem", None) or error)
