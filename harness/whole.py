"""Files that are there whole or not at all, whoever looks meanwhile and whatever interrupts."""

from __future__ import annotations

import os
from pathlib import Path


def write(path: Path, data: bytes) -> None:
    """Write ``data`` beside ``path``, and rename it into place. Raises OSError."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    unfinished.write_bytes(data)
    unfinished.replace(path)
