"""environments/iam-policy.json: the least that the suite needs at AWS, made from its own list."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness import environment
from harness.aws import operations

NAME = "iam-policy.json"


def text(folder: Path) -> str:
    """Return the policy for every environment of a folder that is on AWS. Raises UsageError."""
    found = [environment.load(n, folder, {}) for n in environment.known_environments(folder)]
    names = [(each.aws, each.database.instance) for each in found if each.aws is not None]
    document = operations.policy(names)
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def write(folder: Path) -> Path:
    """Write the policy into the folder; returns its path. Raises UsageError."""
    path = folder / NAME
    path.write_text(text(folder), encoding="utf-8")
    return path
