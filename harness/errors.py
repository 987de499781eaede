"""Errors that are the user's to mend: one message that says what, where and how; no traceback."""

from __future__ import annotations


class UsageError(Exception):
    """Bad input. Ends the run with exit code 4 before anything is probed."""


class MissingSetting(Exception):
    """A value that a check needs and the environment does not give."""

    def __init__(self, path: str, variable: str, environment: str) -> None:
        self.path, self.variable = path, variable
        super().__init__(
            f"{path} is not set for environment '{environment}': set {variable}, "
            f"or {path} in environments/{environment}.yaml"
        )


class UnusableSetting(MissingSetting):
    """A value that was given and cannot be meant."""

    def __init__(self, path: str, variable: str, value: str, why: str) -> None:
        self.path, self.variable = path, variable
        Exception.__init__(self, f"{path} ({variable}) is '{value}': {why}")


class MissingCredential(Exception):
    """A credential that a check needs and that was not given; it never comes from a file here."""

    def __init__(self, name: str, remedy: str) -> None:
        self.name, self.remedy = name, remedy
        super().__init__(f"{name} is missing: {remedy}")
