"""Named expectations for checks: each says what it saw when it is not met."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from harness.observation import HttpObservation, JourneyObservation, Observation
from harness.signatures import evidence
from harness.specs import REFUSED

O = TypeVar("O", bound=Observation)  # noqa: E741


# What the registry says when it is authentication that does not work, whatever the status code.
FROM_AUTHENTICATION = (
    "Authentication service error",
    "Authentication service timeout",
    "Authentication service unavailable",
    "Rate limit exceeded",
)


class NoAnswer(Exception):
    """The transport broke: there is no answer to judge, and that itself is the finding."""


class CannotJudge(Exception):
    """Something else stands in the way: the check is blocked, not failed."""


def answered(observation: O) -> O:
    """Return the observation if there was an answer. Raises NoAnswer."""
    __tracebackhide__ = True
    if observation.failure is not None:
        raise NoAnswer(evidence(observation))
    return observation


def status(observation: HttpObservation, *expected: int) -> HttpObservation:
    """Return the observation if it was answered with one of these HTTP status codes."""
    __tracebackhide__ = True
    answered(observation)
    wanted = " or ".join(map(str, expected))
    assert observation.status in expected, f"expected HTTP {wanted}: {evidence(observation)}"
    return observation


def not_status(observation: HttpObservation, *refused: int) -> HttpObservation:
    """Return the observation if it was answered, and with none of these HTTP status codes."""
    __tracebackhide__ = True
    answered(observation)
    assert observation.status not in refused, f"unexpected: {evidence(observation)}"
    return observation


def json_body(observation: HttpObservation) -> dict[str, Any]:
    """Return the JSON object in the body; fails with an excerpt if there is none."""
    __tracebackhide__ = True
    answered(observation)
    try:
        body = json.loads(observation.body)
    except ValueError:
        body = None
    assert isinstance(body, dict), f"expected a JSON object: {evidence(observation)}"
    return body


def past_authentication(observation: HttpObservation) -> HttpObservation:
    """Return the observation if authentication let it through. Raises NoAnswer, CannotJudge.

    What lies behind authentication cannot be judged while every form of a valid key is refused.
    """
    __tracebackhide__ = True
    behind = answered(observation).body
    if observation.status in REFUSED or any(text in behind for text in FROM_AUTHENTICATION):
        raise CannotJudge(
            f"no form of the API key gets past authentication: {evidence(observation)}"
        )
    return observation


def journey_done(observation: JourneyObservation) -> JourneyObservation:
    """Return the journey if it came to its end and left nothing. Raises NoAnswer, CannotJudge."""
    __tracebackhide__ = True
    last = next((s for s in observation.steps if s.failure or s.status != 200), None)
    if last is not None:
        past_authentication(last)
    answered(observation)
    seen = f": {evidence(last)}" if last is not None else ""
    assert not observation.stopped, f"the journey stopped at {observation.stopped}{seen}"
    left = ", ".join(observation.left_behind)
    assert not left, f"{observation.name} was not removed whole ({left}){seen}; make cleanup"
    return observation
