"""Every fault alone, none at all, and random pairs: detected, and named for what they are."""

from __future__ import annotations

import time

import msgspec
import pytest

from tests.matrix import cases, scoring
from tests.matrix.cases import Case
from tests.matrix.conftest import OUTCOME
from tests.matrix.stage import Stage
from tests.matrix.suite import Suite

READ_ONLY = {"HOKUSAI_POLICY_WRITES": "false"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    options = metafunc.config.option
    chosen = [cases.control(), *cases.singles(), *cases.pairs(options.pairs, options.seed)]
    metafunc.parametrize("case", chosen, ids=lambda case: f"{case.kind}-{case.id}")


def test_what_is_put_in_is_seen(
    case: Case, stage: Stage, suite: Suite, record_property: pytest.Function
) -> None:
    """The suite turns red for a fault, and for nothing else."""
    outcome = _outcome(case, stage, suite)
    record_property(OUTCOME, msgspec.to_builtins(outcome))  # type: ignore[operator]
    if case.kind == "control":
        assert not outcome.red, outcome.red
        assert not outcome.unjudged, outcome.unjudged
    else:
        assert outcome.detected, "no check turned red"


def _outcome(case: Case, stage: Stage, suite: Suite) -> scoring.Outcome:
    environment, began = dict(stage.environment), time.monotonic()
    if case.kind == "pair":
        # Each fault alone has shown what it does to the check that writes, MLflow's dearest.
        environment |= READ_ONLY
    try:
        stage.apply(case.faults)
        applied = time.monotonic()
        document = suite.run(environment)
        judged = time.monotonic()
    finally:
        stage.heal(case.faults)
    seconds = (applied - began, judged - applied, time.monotonic() - judged)
    return scoring.outcome_of(case, document, seconds)
