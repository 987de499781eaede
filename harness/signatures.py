"""Does an observation show a documented signature? Pure functions."""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from harness.catalogue import Match, Signature
from harness.observation import (
    ContractObservation,
    HttpObservation,
    Observation,
    PostgresObservation,
)

EVIDENCE_LENGTH = 240


class Sighting(msgspec.Struct, frozen=True, kw_only=True):
    """A documented signature that was seen, and in which observation."""

    signature: str
    documented: str
    probe: str
    evidence: str


def sightings(
    signatures: Iterable[Signature], observations: Iterable[Observation]
) -> tuple[Sighting, ...]:
    """Return every signature that one of the observations shows, each once."""
    seen = list(observations)
    found = ((s, next((o for o in seen if shows(s, o)), None)) for s in signatures)
    return tuple(
        Sighting(
            signature=signature.id,
            documented=signature.documented,
            probe=observation.probe,
            evidence=evidence(observation),
        )
        for signature, observation in found
        if observation is not None
    )


def shows(signature: Signature, observation: Observation) -> bool:
    """Return True if any of the signature's matches fits the observation."""
    return any(_fits(match, observation) for match in signature.match)


def evidence(observation: Observation) -> str:
    """Return what was seen in one line: status, error, message; never longer than a few lines."""
    parts = [observation.label, "->", *_seen(observation)]
    line = " ".join(part for part in parts if part)
    return line if len(line) <= EVIDENCE_LENGTH else line[: EVIDENCE_LENGTH - 1] + "…"


def _fits(match: Match, observation: Observation) -> bool:
    if observation.__struct_config__.tag != match.kind:
        return False
    return all(
        (
            not match.status or getattr(observation, "status", None) in match.status,
            not match.failure
            or (observation.failure is not None and observation.failure.kind in match.failure),
            match.text is None or match.text in _text(observation),
            match.pattern is None or re.search(match.pattern, _text(observation)) is not None,
            not match.cases or bool(set(match.cases) & _failed_cases(observation)),
        )
    )


def _text(observation: Observation) -> str:
    parts = [observation.failure.message if observation.failure else ""]
    if isinstance(observation, HttpObservation):
        parts.append(observation.body)
    if isinstance(observation, PostgresObservation):
        parts.append(observation.message)
    return "\n".join(parts)


def _failed_cases(observation: Observation) -> set[str]:
    if not isinstance(observation, ContractObservation):
        return set()
    return {case.id for case in observation.cases if not case.passed}


def _seen(observation: Observation) -> list[str]:
    said: list[str] = []
    if isinstance(observation, HttpObservation) and observation.status is not None:
        said += [f"HTTP {observation.status}", " ".join(observation.body.split())]
    if isinstance(observation, PostgresObservation) and observation.message:
        said.append(" ".join(observation.message.split()))
    if isinstance(observation, ContractObservation) and _failed_cases(observation):
        said.append("failed: " + ", ".join(sorted(_failed_cases(observation))))
    if observation.failure is not None and not (
        isinstance(observation, PostgresObservation) and observation.message
    ):
        said.append(str(observation.failure))
    return said or ["answered"]
