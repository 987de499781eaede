"""What a user of the registry does all day: a model is tracked, stored and registered.

This writes. Everything that it makes it removes again; `make cleanup` removes what a crash left.
"""

from __future__ import annotations

import pytest

from harness import expect
from harness.environment import Environment
from harness.observation import JourneyObservation
from harness.plugin.declare import probe, symptom
from harness.specs import JourneyProbe


@probe
def model_journey(environment: Environment) -> JourneyProbe:
    """An experiment, a run, a metric, an artifact, a model and its version: made and removed."""
    seconds = environment.limits.deadline
    return JourneyProbe(
        url=environment.registry.url, step_deadline=seconds, deadline=min(60.0, 3 * seconds)
    )


@pytest.mark.writes
@pytest.mark.p1
@symptom("registry-api-outage")
def test_a_model_can_be_registered_and_removed_again(model_journey: JourneyObservation) -> None:
    """A user registers a model through the registry and reads it back; nothing of it stays."""
    expect.journey_done(model_journey)
