"""No server makes a probe hang, crash, grow without bound, lie, or give a credential away."""

from __future__ import annotations

import pytest

from harness.observation import FailureKind
from tests.unit.hostile import bench
from tests.unit.hostile.behaviours import BEHAVIOURS
from tests.unit.hostile.bench import Behaviour

# The bench measures how long each takes; here it must end at all.
ENDS_WITHIN = bench.LATEST + 5.0


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "HOSTILE_PASSWORD", "AWS_PROFILE"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret-of-nobody")


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda each: each.name)
def test_a_hostile_server_gives_a_typed_observation(behaviour: Behaviour) -> None:
    found = bench.outcome(behaviour)
    assert found.kind in behaviour.expected, found.observation.failure
    assert found.seconds < ENDS_WITHIN
    failure = found.observation.failure
    if failure is not None:
        assert bench.KEY not in failure.message
        if "without end" not in behaviour.name:
            assert failure.kind is not FailureKind.INTERNAL_ERROR or "AWS" in behaviour.name


def test_there_are_enough_of_them() -> None:
    names = [each.name for each in BEHAVIOURS]
    assert len(names) == len(set(names)) >= 60
