"""Does an observation show a documented signature? Pure functions."""

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

EVIDENCE_LENGTH = 280
HEAD_LENGTH = 40


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
    return tuple(
        Sighting(
            signature=signature.id,
            documented=signature.documented,
            probe=observation.probe,
            evidence=evidence(observation, _matched(match, observation)),
        )
        for signature in signatures
        for match, observation in _first(signature, seen)
    )


def _first(
    signature: Signature, observations: list[Observation]
) -> list[tuple[Match, Observation]]:
    fitting = ((m, o) for o in observations for m in signature.match if _fits(m, o))
    found = next(fitting, None)
    return [found] if found else []


def _matched(match: Match, observation: Observation) -> str:
    if match.text is not None:
        return match.text
    found = re.search(match.pattern, _text(observation)) if match.pattern else None
    return found.group(0) if found else ""


def shows(signature: Signature, observation: Observation) -> bool:
    """Return True if any of the signature's matches fits the observation."""
    return any(_fits(match, observation) for match in signature.match)


def evidence(observation: Observation, about: str = "") -> str:
    """Return what was seen in one line: status, error, message; never longer than a few lines.

    Where it has to be cut, the part with ``about`` is kept.
    """
    told = " ".join(part for part in _seen(observation) if part)
    room = EVIDENCE_LENGTH - min(len(observation.label), EVIDENCE_LENGTH // 2)
    return f"{observation.label} -> {_cut(told, ' '.join(about.split()), room)}"


def _cut(text: str, about: str, room: int) -> str:
    if len(text) <= room:
        return text
    at = text.find(about) if about else 0
    if at + len(about) <= room:
        return text[: room - 1] + "…"
    status, start = text.partition(" {")[0][:HEAD_LENGTH], max(0, at - HEAD_LENGTH)
    end = start + max(room - len(status), len(about) + 2 * HEAD_LENGTH)
    return f"{status} … {text[start:end]}{'…' if end < len(text) else ''}"


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
