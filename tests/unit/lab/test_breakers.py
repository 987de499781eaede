"""The circuit breakers of the builds, held to the suite's contract: defects as documented."""

from __future__ import annotations

import pytest

from harness.observation import ContractObservation
from harness.probes import contract
from harness.specs import ContractProbe
from lab import images

DOCUMENTED = {
    "test_max_recovery_attempts",
    "test_edge_case_zero_threshold",
    "test_edge_case_zero_timeout",
    "test_environment_configuration",
}
ORDINARY = {"opens-at-its-threshold", "closes-after-success", "reset-closes", "reports-its-state"}


def hold(tag: str) -> ContractObservation:
    folder = images.find(f"x/hokusai/api:{tag}").circuit_breaker
    probe = ContractProbe(
        contract="circuit_breaker",
        setting="circuit_breaker.source",
        target="circuit_breaker:CircuitBreaker",
        deadline=20,
    )
    return contract.observe(probe, str(folder))


@pytest.mark.parametrize(
    ("tag", "broken"),
    [("corrected", set()), ("2025-08-06", DOCUMENTED)],
)
def test_a_build_breaks_just_what_is_documented(tag: str, broken: set[str]) -> None:
    seen = hold(tag)
    assert seen.failure is None
    assert {case.id for case in seen.cases if not case.passed} == broken


def test_between_them_the_faulty_breakers_break_all_of_the_ordinary_work() -> None:
    cases = [case for tag in ("breaker-inert", "breaker-stuck") for case in hold(tag).cases]
    assert {case.id for case in cases if not case.passed} >= ORDINARY
