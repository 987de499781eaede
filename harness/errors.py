"""Errors that are the user's to mend: one message that says what, where and how; no traceback."""

from __future__ import annotations

import traceback
from pathlib import Path


class UsageError(Exception):
    """Bad input. Ends the run with exit code 4 before anything is probed."""


class Missing(Exception):
    """Something that a check needs and was not given: ``reason`` says what, ``remedy`` how to."""

    def __init__(self, reason: str, remedy: str) -> None:
        self.reason, self.remedy = reason, remedy
        super().__init__(f"{reason}: {remedy}")


class MissingSetting(Missing):
    """A value that a check needs and the environment does not give."""

    def __init__(self, path: str, variable: str, environment: str) -> None:
        super().__init__(
            f"{path} is not set for environment '{environment}'",
            f"set {variable}, or {path} in environments/{environment}.yaml",
        )


class UnusableSetting(MissingSetting):
    """A value that was given and cannot be meant."""

    def __init__(self, path: str, variable: str, value: str, why: str) -> None:
        reason = f"{path} ({variable}) is '{value}': {why}"
        Missing.__init__(self, reason, f"set {variable} to what can be used")


class MissingCredential(Missing):
    """A credential that a check needs and that was not given; it never comes from a file here."""

    def __init__(self, name: str, remedy: str) -> None:
        super().__init__(f"{name} is missing", remedy)


class BrokenApart(Exception):
    """Something went wrong in the other process; the message is its `place`."""


def place(error: BaseException) -> str:
    """Return what was raised and where; not its text, which may quote anything."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} at {Path(frame.filename).name}:{frame.lineno}"
