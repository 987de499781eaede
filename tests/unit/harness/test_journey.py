"""The write checks' journey, against a small MLflow that keeps what it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import pytest

from harness import expect, journey
from harness.environment import Limits
from harness.expect import CannotJudge
from harness.guard import Guard
from harness.observation import Failure, FailureKind, HttpObservation, JourneyObservation
from harness.specs import HttpProbe, JourneyProbe, Probe

PROBE = JourneyProbe(url="https://registry.example", deadline=5)
# What MLflow deletes along with what it is in.
WITHIN = {"experiments": "runs", "registered-models": "model-versions"}
Asked = Callable[[HttpProbe], Awaitable[HttpObservation]]


class SmallMlflow:
    """Answers as MLflow does; ``broken`` is the end of a path that is answered with 500."""

    def __init__(self, broken: str = "", status: int = 500) -> None:
        self.broken, self.status = broken, status
        self.kept: set[str] = set()
        self.artifact = self.name = ""
        self.guard = Guard(Limits(), writes=True)

    async def __call__(self, probe: HttpProbe) -> HttpObservation:
        refused = self.guard.refusal(probe)
        assert refused is None, refused
        path = urlsplit(probe.url).path
        if self.broken and path.endswith(self.broken):
            return HttpObservation(method=probe.method, url=probe.url, status=self.status)
        asked = json.loads(probe.body or "{}") if "mlflow-artifacts" not in path else {}
        body = self._stored(probe, path) if "mlflow-artifacts" in path else self._said(path, asked)
        return HttpObservation(method=probe.method, url=probe.url, status=200, body=body)

    def _stored(self, probe: HttpProbe, path: str) -> str:
        if probe.method == "PUT":
            self.artifact = probe.body or ""
            self.kept.add("artifact")
        if probe.method == "DELETE":
            self.kept.discard("artifact")
        return self.artifact

    def _said(self, path: str, asked: dict[str, str]) -> str:
        what, _, action = path.rpartition("/mlflow/")[2].partition("/")
        if action == "create":
            self.kept.add(what)
        if action == "delete":
            self.kept -= {what, WITHIN.get(what, "")}
        info = {"run_id": "r1", "artifact_uri": "mlflow-artifacts:/1/r1/artifacts"}
        run = {"info": info, "data": {"metrics": [{"value": journey.METRIC}]}}
        version = {"version": "1", "run_id": "r1"}
        if "name" in asked and action == "create":
            self.name = asked["name"]
        found = [
            {"experiment_id": "7", "name": f"{journey.PREFIX}old"},
            {"experiment_id": "8", "name": "somebody's"},
        ]
        if what in self.kept:
            found.append({"experiment_id": "1", "name": self.name})
        return json.dumps(
            {
                "experiment_id": "1",
                "run": run,
                "model_version": version,
                "experiments": found,
                "registered_models": found,
            }
        )


def went(mlflow: SmallMlflow) -> JourneyObservation:
    return asyncio.run(journey.observe(PROBE, mlflow))


def test_a_journey_comes_to_its_end_and_leaves_nothing() -> None:
    mlflow = SmallMlflow()
    found = expect.journey_done(went(mlflow))
    assert not mlflow.kept
    assert len(found.steps) == 14


@pytest.mark.parametrize(
    "broken", ["runs/create", "log-metric", "runs/get", "note.txt", "versions/create"]
)
def test_a_journey_that_breaks_off_removes_what_it_made(broken: str) -> None:
    mlflow = SmallMlflow(broken)
    found = went(mlflow)
    assert not mlflow.kept
    with pytest.raises(AssertionError, match=f"stopped at .*{broken}"):
        expect.journey_done(found)


def test_what_cannot_be_removed_is_told() -> None:
    mlflow = SmallMlflow("registered-models/delete")
    with pytest.raises(AssertionError, match=r"not removed whole.*make cleanup"):
        expect.journey_done(went(mlflow))
    assert mlflow.kept == {"registered-models"}


@pytest.mark.parametrize("lost", ["experiments/create", "runs/create", "registered-models/create"])
@pytest.mark.parametrize("interrupted", [True, False])
def test_what_was_made_without_an_answer_is_found_and_removed(lost: str, interrupted: bool) -> None:
    mlflow = SmallMlflow()

    async def ask(probe: HttpProbe) -> HttpObservation:
        answer = await mlflow(probe)
        if not urlsplit(probe.url).path.endswith(lost):
            return answer
        if interrupted:
            raise asyncio.CancelledError
        failure = Failure(kind=FailureKind.READ_TIMEOUT, message="no answer within 1 s")
        return HttpObservation(method=probe.method, url=probe.url, failure=failure)

    try:
        found = asyncio.run(journey.observe(PROBE, ask))
        assert not found.left_behind
    except asyncio.CancelledError:
        assert interrupted
    assert not mlflow.kept


@pytest.mark.parametrize("step", range(1, 15))
def test_an_interruption_at_any_step_leaves_nothing(step: int) -> None:
    mlflow, asked = SmallMlflow(), 0

    async def went_until_interrupted() -> None:
        async def ask(probe: HttpProbe) -> HttpObservation:
            nonlocal asked
            asked += 1
            if asked == step:
                journeying.cancel()
                await asyncio.sleep(0)
            return await mlflow(probe)

        journeying = asyncio.ensure_future(journey.observe(PROBE, ask))
        with pytest.raises(asyncio.CancelledError):
            await journeying

    asyncio.run(went_until_interrupted())
    assert not mlflow.kept


def test_a_key_that_is_refused_blocks_the_check() -> None:
    with pytest.raises(CannotJudge):
        expect.journey_done(went(SmallMlflow("experiments/create", 401)))


def test_a_clean_up_removes_what_journeys_made_and_nothing_else() -> None:
    asked: list[str] = []

    async def ask(probe: HttpProbe) -> HttpObservation:
        asked.append(f"{probe.method} {probe.body}")
        return await SmallMlflow()(probe)

    found = asyncio.run(journey.clean(PROBE, ask))
    assert found.removed == 2
    assert [each for each in asked if not each.startswith("GET")] == [
        'POST {"experiment_ids": ["7"], "max_results": 1000}',
        f'DELETE {{"name": "{journey.PREFIX}old"}}',
        'POST {"experiment_id": "7"}',
    ]


def test_without_the_flag_the_guard_refuses_the_journey_and_each_of_its_writes() -> None:
    sent: list[HttpProbe] = []
    mlflow = SmallMlflow()

    async def ask(probe: HttpProbe) -> HttpObservation:
        sent.append(probe)
        return await mlflow(probe)

    asyncio.run(journey.observe(PROBE, ask))
    refusals = [Guard(Limits()).refusal(p) for p in (PROBE, *sent) if writes(p)]
    assert len(refusals) == 12
    assert {each.kind for each in refusals if each} == {FailureKind.NOT_PERMITTED}


def writes(probe: Probe) -> bool:
    return not isinstance(probe, HttpProbe) or probe.method != "GET"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/mlflow/api/2.0/mlflow/users/create"),
        ("DELETE", "/api/models/1"),
        ("PUT", "/api/mlflow/api/2.0/mlflow-artifacts/artifacts/1/../../model/note.txt"),
        ("POST", "/api/keys"),
    ],
)
def test_with_the_flag_nothing_but_the_journey_is_admitted(method: str, path: str) -> None:
    probe = HttpProbe(url=f"https://registry.example{path}", method=method)
    assert Guard(Limits(), writes=True).refusal(probe) is not None
