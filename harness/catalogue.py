"""The catalogue of documented failures: ``failures/*.yaml``, as typed values."""

from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from harness import settings_file
from harness.environment import Severity
from harness.errors import UsageError
from harness.observation import FailureKind

Id = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]*$")]
Text = Annotated[str, Meta(min_length=1)]


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Match(_Entry, frozen=True, kw_only=True):
    """What an observation must look like; every field that is given must hold.

    Texts and patterns are looked for in the body, the server's message and the failure's text.
    """

    kind: Literal["http", "dns", "tcp", "tls", "postgres", "variables", "contract", "aws"]
    status: tuple[int, ...] = ()
    failure: tuple[FailureKind, ...] = ()
    text: str | None = None
    pattern: str | None = None
    cases: tuple[str, ...] = ()


class Signature(_Entry, frozen=True, kw_only=True):
    """One documented symptom, exactly: ``documented`` is the document's own error text."""

    id: Id
    documented: Text
    match: tuple[Match, ...]


class Item(_Entry, frozen=True, kw_only=True):
    """A possible cause, a recommended fix or a thing asked for, under a stable id.

    A failed check of ``checks`` and a seen signature of ``signatures`` speak for it.
    """

    id: Id
    text: Text
    checks: tuple[Text, ...] = ()
    signatures: tuple[Id, ...] = ()


class Metrics(_Entry, frozen=True, kw_only=True):
    """The document's own figures for the component."""

    failure_rate: Annotated[int, Meta(ge=0, le=100)]
    impact: Literal["critical", "high", "medium", "low"]
    priority: Severity


class DocumentedFailure(_Entry, frozen=True, kw_only=True):
    """One failure of 2025-08-06."""

    id: Id
    number: int
    title: Text
    component: Text
    owner: Text
    impact: Text
    affects: tuple[Literal["users", "business", "data"], ...] = ()
    documented: Metrics
    signatures: tuple[Signature, ...]
    possible_causes: tuple[Item, ...]
    recommended_fixes: tuple[Item, ...]
    reproduction: tuple[Text, ...]
    asked_for: tuple[Item, ...] = ()
    action: Text
    fix_within: Text

    def signature(self, signature_id: str) -> Signature:
        """Return the signature of that id. Raises UsageError naming those there are."""
        for signature in self.signatures:
            if signature.id == signature_id:
                return signature
        known = ", ".join(s.id for s in self.signatures)
        raise UsageError(f"failure '{self.id}' has no signature '{signature_id}': it has {known}")


Catalogue = dict[str, DocumentedFailure]


def load(folder: Path) -> Catalogue:
    """Return the documented failures by id, in the document's order. Raises UsageError."""
    found = [
        settings_file.convert(settings_file.read_mapping(path), DocumentedFailure, path)
        for path in sorted(folder.glob("*.yaml"))
    ]
    for failure, path in zip(found, sorted(folder.glob("*.yaml")), strict=True):
        if failure.id != path.stem:
            raise UsageError(f"{path}: id: must be the file's name, {path.stem}")
    return {failure.id: failure for failure in sorted(found, key=lambda f: f.number)}


def find(catalogue: Catalogue, failure_id: str) -> DocumentedFailure:
    """Return one documented failure. Raises UsageError naming those there are."""
    if failure_id not in catalogue:
        known = ", ".join(catalogue)
        raise UsageError(f"unknown failure id '{failure_id}': failures/ has {known}")
    return catalogue[failure_id]
