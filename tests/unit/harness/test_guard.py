from __future__ import annotations

import time
from pathlib import Path

import pytest

from harness import audit
from harness.audit import Audit
from harness.environment import Limits
from harness.guard import Guard
from harness.observation import FailureKind
from harness.specs import ClientProbe, HttpProbe, TcpProbe

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


def test_nothing_is_asked_past_the_time_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    guard, now = Guard(Limits(run_seconds=60)), time.monotonic()
    assert guard.refusal(TcpProbe(host="a", port="1")) is None
    monkeypatch.setattr(time, "monotonic", lambda: now + 61)
    refusal = guard.refusal(TcpProbe(host="a", port="1"))
    assert refusal is not None
    assert refusal.kind is FailureKind.BUDGET_EXHAUSTED
    assert refusal.message == "the budget of 60 seconds of a run is used up"


@pytest.mark.parametrize(
    "path",
    [
        "/api/mlflow/api/2.0/mlflow/experiments/search",
        "/mlflow/ajax-api/2.0/mlflow/runs/search",
        "/api/2.0/mlflow/registered-models/search",
    ],
)
def test_a_search_at_mlflow_only_reads(path: str) -> None:
    assert Guard(Limits()).refusal(HttpProbe(url=URL + path, method="POST")) is None


@pytest.mark.parametrize(
    "path",
    [
        "/api/2.0/mlflow/runs/create",
        "/delete/api/v1/keys/validate",
        "/api/v1/keys/validate/../../users",
        "/api/2.0/mlflow/runs/search/delete",
        "/x?y=/api/v1/keys/validate",
        "/",
    ],
)
def test_what_only_looks_like_a_reading_post_is_refused(path: str) -> None:
    assert Guard(Limits()).refusal(HttpProbe(url=URL + path, method="POST")) is not None


def test_a_client_that_writes_is_refused() -> None:
    refusal = Guard(Limits()).refusal(ClientProbe(url=URL, method="DELETE"))
    assert refusal is not None
    assert refusal.kind is FailureKind.NOT_PERMITTED


def test_everything_is_in_the_audit_list_with_the_rule(tmp_path: Path) -> None:
    recorded = Audit(tmp_path / "audit.jsonl")
    guard = Guard(Limits(probes=2), recorded)
    guard.refusal(HttpProbe(url=f"{URL}/health"))
    guard.refusal(HttpProbe(url=f"{URL}/models", method="DELETE"))
    guard.refusal(TcpProbe(host="a", port="1", vantage="task:api"))
    guard.refusal(TcpProbe(host="b", port="1"))
    recorded.close()
    entries = list(audit.read(tmp_path / "audit.jsonl"))
    assert [(e.kind, e.vantage, e.performed) for e in entries] == [
        ("http", "runner", True),
        ("http", "runner", False),
        ("tcp", "task:api", True),
        ("tcp", "runner", False),
    ]
    assert entries[0].rule == "GET is safe"
    assert "not a read-only request" in entries[1].rule
    assert "budget of 2 probes" in entries[3].rule
    assert audit.counted(tmp_path / "audit.jsonl") == [
        ("runner", "http", 1, 1),
        ("runner", "tcp", 0, 1),
        ("task:api", "tcp", 1, 0),
    ]
