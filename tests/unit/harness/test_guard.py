from __future__ import annotations

import pytest

from harness.environment import Limits
from harness.guard import Guard
from harness.observation import FailureKind
from harness.specs import HttpProbe, TcpProbe

URL = "http://registry.example"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_a_request_that_writes_is_refused_before_it_leaves(method: str) -> None:
    refusal = Guard(Limits()).refusal(HttpProbe(url=f"{URL}/api/models", method=method))
    assert refusal is not None
    assert refusal.kind == FailureKind.NOT_PERMITTED


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/x"), ("HEAD", "/x"), ("POST", "/api/v1/keys/validate")],
)
def test_a_request_that_reads_is_admitted(method: str, path: str) -> None:
    assert Guard(Limits()).refusal(HttpProbe(url=URL + path, method=method)) is None


def test_the_budgets_of_a_run_are_kept() -> None:
    guard = Guard(Limits(requests_per_host=2, probes=4))
    refusals = [guard.refusal(HttpProbe(url=f"{URL}/{n}")) for n in range(3)]
    assert refusals[:2] == [None, None]
    assert refusals[2] is not None
    assert "2 requests to registry.example" in refusals[2].message
    assert guard.refusal(TcpProbe(host="a", port="1")) is None
    last = guard.refusal(TcpProbe(host="a", port="1"))
    assert last is not None
    assert last.kind == FailureKind.BUDGET_EXHAUSTED
