"""Earlier runs of an environment, read back from their ``run.json``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from harness.errors import UsageError
from harness.reports.run_json import NAME, SCHEMA

Document = dict[str, Any]


def load(path: Path) -> Document:
    """Return a run's result. ``path`` is its folder or its run.json. Raises UsageError."""
    file = path / NAME if path.is_dir() else path
    try:
        document: Document = msgspec.json.decode(file.read_bytes(), type=dict[str, Any])
    except OSError as error:
        raise UsageError(
            f"{file}: cannot be read: {error.strerror}; name a run's folder below reports/"
        ) from None
    except msgspec.MsgspecError as error:
        raise UsageError(f"{file}: is not the result of a run: {error}") from None
    if document.get("schema") != SCHEMA:
        raise UsageError(
            f"{file}: is of schema {document.get('schema')}, this suite reads {SCHEMA}: "
            "run the suite of its time, or run this one anew"
        )
    return document


def before(folder: Path) -> Iterator[Document]:
    """Yield the results of the runs before the one in ``folder``, the latest first.

    What cannot be read, or is of another schema, is passed over; so are replays, which say nothing
    of their own time.
    """
    # The names begin with the time at which each run began.
    for earlier in sorted(folder.parent.iterdir(), reverse=True):
        if earlier.is_symlink() or earlier.name >= folder.name or not (earlier / NAME).is_file():
            continue
        try:
            document = load(earlier)
        except UsageError:
            continue
        if not document.get("replayed"):
            yield document
