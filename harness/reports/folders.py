"""The folders that runs write their reports to: ``<reports>/<environment>/<run id>/``."""

from __future__ import annotations

import secrets
import time
from pathlib import Path

from harness.errors import UsageError


def new(reports: Path, environment_name: str) -> Path:
    """Make the folder of a new run. Raises UsageError."""
    run_id = f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(2)}"
    folder = reports / environment_name / run_id
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"{folder}: the report folder cannot be made: {error.strerror}; "
            "choose another with --reports=FOLDER"
        ) from None
    return folder


def link_latest(folder: Path) -> None:
    """Let ``latest`` lead to a run: to be called when it has something to say."""
    # Renamed into place, so that a reader never finds it missing.
    temporary = folder.with_name(f".latest-{folder.name}")
    temporary.symlink_to(folder.name)
    temporary.replace(folder.with_name("latest"))
