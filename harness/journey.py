"""The journey of a model through the registry's MLflow proxy: made, read back, removed again.

It writes, so it is asked only where writing is allowed. Everything that it makes is named
``hokusai-acceptance-…``, by which ``python -m harness cleanup`` finds what a crash left behind.
MLflow only marks experiments and runs as deleted: its own garbage collection removes the rows.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from harness.observation import Failure, FailureKind, HttpObservation, JourneyObservation
from harness.specs import HttpProbe, JourneyProbe

PREFIX = "hokusai-acceptance-"
MOUNT = "/api/mlflow/api/2.0"
SERVED = "mlflow-artifacts:/"
CONTENT = "written by the acceptance suite"
METRIC = 0.875
MOST_LEFT = 1000

T = TypeVar("T")
Ask = Callable[[HttpProbe], Awaitable[HttpObservation]]


class _Stop(Exception):
    """A step that did not do what it is to do; the rest would say nothing."""


class _Undo(NamedTuple):
    """How something that was made is removed. What is deeper is removed first."""

    depth: int
    method: str
    path: str
    body: Mapping[str, Any] | None


class _Steps:
    """Asks step by step and keeps what was seen."""

    def __init__(self, probe: JourneyProbe, ask: Ask) -> None:
        self._probe, self._ask = probe, ask
        self.seen: list[HttpObservation] = []
        # What was asked, and was not answered, may be done all the same.
        self._unanswered: list[asyncio.Future[HttpObservation]] = []

    async def call(
        self, method: str, path: str, body: Mapping[str, Any] | str | None = None
    ) -> dict[str, Any]:
        """Return the JSON that a step is answered with. Raises _Stop."""
        answer = await self.send(method, path, body)
        try:
            found = json.loads(answer.body)
        except ValueError:
            raise _Stop(f"{method} {path}: the answer is no JSON") from None
        return found if isinstance(found, dict) else {}

    async def send(
        self, method: str, path: str, body: Mapping[str, Any] | str | None = None
    ) -> HttpObservation:
        """Return the answer of a step that went well. Raises _Stop."""
        text = body if isinstance(body, str | None) else json.dumps(body)
        kind = "text/plain" if isinstance(body, str) else "application/json"
        asked = HttpProbe(
            url=f"{self._probe.url}{MOUNT}/{path}",
            method=method,
            headers=(("Content-Type", kind),) if text is not None else (),
            body=text,
            api_key="any",
            deadline=self._probe.step_deadline,
            max_bytes=self._probe.max_bytes,
        )
        answer = await self._answer(asked)
        self.seen.append(answer)
        if answer.failure is not None or answer.status != 200:
            raise _Stop(f"{method} {path.partition('?')[0]}")
        return answer

    async def _answer(self, asked: HttpProbe) -> HttpObservation:
        asking = asyncio.ensure_future(self._ask(asked))
        self._unanswered.append(asking)
        # Who interrupts the journey does not interrupt the server.
        answer = await asyncio.shield(asking)
        if answer.status is not None:
            self._unanswered.remove(asking)
        return answer

    async def settled(self) -> bool:
        """Wait for what is under way (each has its deadline); False if something went unheard."""
        await asyncio.gather(*self._unanswered, return_exceptions=True)
        return not self._unanswered


async def observe(probe: JourneyProbe, ask: Ask) -> JourneyObservation:
    """Go the journey and remove all of it again, as far as it came. ``ask`` is guarded."""
    steps = _Steps(probe, ask)
    name = f"{PREFIX}{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"
    made: list[_Undo] = []
    stopped = ""
    try:
        async with asyncio.timeout(probe.deadline):
            await _go(steps, name, made)
    except _Stop as stop:
        stopped = str(stop)
    except TimeoutError:
        stopped = f"its deadline: {probe.deadline:g} s in all"
    finally:
        # Also when the run is interrupted: what was made is not left there.
        kept = await _to_the_end(_remove_all(steps, name, made))
    return JourneyObservation(
        name=name,
        steps=tuple(steps.seen),
        stopped=stopped,
        left_behind=tuple(kept),
        failure=_unjudgeable(steps.seen),
    )


def _unjudgeable(seen: list[HttpObservation]) -> Failure | None:
    return next((s.failure for s in seen if s.failure and s.failure.unjudgeable), None)


async def _to_the_end(work: Coroutine[Any, Any, T]) -> T:
    """Do ``work`` even if that is interrupted; the interruption is raised after it."""
    doing = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(doing)
    except asyncio.CancelledError:
        await doing
        raise


async def _remove_all(steps: _Steps, name: str, made: list[_Undo]) -> list[str]:
    """Remove what was made, and what an answer that never came would have told of."""
    heard = await steps.settled()
    kept = await _remove(steps, made)
    if heard:
        return kept
    try:
        return kept + await _remove(steps, await _left(steps, name))
    except _Stop as stop:
        return [*kept, f"perhaps more: {stop}"]


async def _go(steps: _Steps, name: str, made: list[_Undo]) -> None:
    created = await steps.call("POST", "mlflow/experiments/create", {"name": name})
    experiment = str(created.get("experiment_id"))
    made.append(_Undo(0, "POST", "mlflow/experiments/delete", {"experiment_id": experiment}))
    run = await _run(steps, experiment, made)
    # Three things are done with a run, each beside the others.
    branches = [_measured(steps, run["run_id"]), _registered(steps, name, run, made)]
    if run["artifact_uri"].startswith(SERVED):
        branches.append(_stored(steps, run["artifact_uri"], made))
    for ended in await asyncio.gather(*branches, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended


async def _run(steps: _Steps, experiment: str, made: list[_Undo]) -> dict[str, str]:
    asked = {"experiment_id": experiment, "start_time": int(time.time() * 1000)}
    created = await steps.call("POST", "mlflow/runs/create", asked)
    info: dict[str, Any] = _within(created, "run", "info")
    run = str(info.get("run_id"))
    made.append(_Undo(1, "POST", "mlflow/runs/delete", {"run_id": run}))
    return {"run_id": run, "artifact_uri": str(info.get("artifact_uri", ""))}


async def _measured(steps: _Steps, run: str) -> None:
    metric = {"run_id": run, "key": "accuracy", "value": METRIC, "timestamp": 1}
    await steps.call("POST", "mlflow/runs/log-metric", metric)
    read = await steps.call("GET", f"mlflow/runs/get?run_id={quote(run, safe='')}")
    metrics = _within(read, "run", "data").get("metrics", [])
    if [each.get("value") for each in metrics] != [METRIC]:
        raise _Stop("mlflow/runs/get: the metric that was logged is not read back")


async def _stored(steps: _Steps, uri: str, made: list[_Undo]) -> None:
    path = _artifact(uri)
    made.append(_Undo(2, "DELETE", path, None))
    await steps.send("PUT", path, CONTENT)
    if (await steps.send("GET", path)).body != CONTENT:
        raise _Stop("mlflow-artifacts: the artifact that was stored is not read back")


async def _registered(steps: _Steps, name: str, run: dict[str, str], made: list[_Undo]) -> None:
    await steps.call("POST", "mlflow/registered-models/create", {"name": name})
    made.append(_Undo(1, "DELETE", "mlflow/registered-models/delete", {"name": name}))
    source = f"{run['artifact_uri']}/model"
    asked = {"name": name, "source": source, "run_id": run["run_id"]}
    created = await steps.call("POST", "mlflow/model-versions/create", asked)
    number = str(_within(created, "model_version").get("version"))
    version = {"name": name, "version": number}
    made.append(_Undo(2, "DELETE", "mlflow/model-versions/delete", version))
    asked_for = f"name={quote(name, safe='')}&version={quote(number, safe='')}"
    read = await steps.call("GET", f"mlflow/model-versions/get?{asked_for}")
    if _within(read, "model_version").get("run_id") != run["run_id"]:
        raise _Stop("mlflow/model-versions/get: the version is not read back as registered")


def _within(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        inner = document.get(key)
        document = inner if isinstance(inner, dict) else {}
    return document


async def _remove(steps: _Steps, made: list[_Undo]) -> list[str]:
    """Remove the innermost first, all of a depth at once; return what could not be removed."""
    kept: list[str] = []
    for depth in sorted({each.depth for each in made}, reverse=True):
        removals = [_removed(steps, each) for each in made if each.depth == depth]
        kept += [problem for problem in await asyncio.gather(*removals) if problem]
    return kept


async def _removed(steps: _Steps, made: _Undo) -> str:
    try:
        await steps.send(made.method, made.path, made.body)
    except _Stop as stop:
        return str(stop)
    return ""


async def clean(probe: JourneyProbe, ask: Ask) -> JourneyObservation:
    """Remove every experiment and model that a journey left behind."""
    steps, stopped = _Steps(probe, ask), ""
    left: list[_Undo] = []
    try:
        left += await _left(steps, PREFIX)
    except _Stop as stop:
        stopped = str(stop)
    kept = await _remove(steps, left)
    return JourneyObservation(
        name=PREFIX,
        steps=tuple(steps.seen),
        stopped=stopped,
        left_behind=tuple(kept),
        failure=_unjudgeable(steps.seen),
        removed=len(left) - len(kept),
    )


async def _left(steps: _Steps, prefix: str) -> list[_Undo]:
    like = quote(f"name LIKE '{prefix}%'", safe="")
    query = f"search?max_results={MOST_LEFT}&filter={like}"
    experiments = await steps.call("GET", f"mlflow/experiments/{query}")
    models = await steps.call("GET", f"mlflow/registered-models/{query}")
    found: list[_Undo] = []
    for each in experiments.get("experiments", []):
        if str(each.get("name", "")).startswith(prefix):
            asked = {"experiment_id": each["experiment_id"]}
            found.append(_Undo(0, "POST", "mlflow/experiments/delete", asked))
            stored = await _artifacts(steps, asked)
            found += [_Undo(2, "DELETE", path, None) for path in stored]
    return found + [
        _Undo(1, "DELETE", "mlflow/registered-models/delete", {"name": each["name"]})
        for each in models.get("registered_models", [])
        if str(each.get("name", "")).startswith(prefix)
    ]


async def _artifacts(steps: _Steps, experiment: dict[str, Any]) -> list[str]:
    asked = {"experiment_ids": [experiment["experiment_id"]], "max_results": MOST_LEFT}
    searched = await steps.call("POST", "mlflow/runs/search", asked)
    infos = [_within(each, "info") for each in searched.get("runs", [])]
    found = []
    for info in infos:
        run, uri = str(info.get("run_id")), str(info.get("artifact_uri"))
        listing = f"mlflow/artifacts/list?run_id={quote(run, safe='')}&path=model"
        if uri.startswith(SERVED) and (await steps.call("GET", listing)).get("files"):
            found.append(_artifact(uri))
    return found


def _artifact(uri: str) -> str:
    return f"mlflow-artifacts/artifacts/{uri.removeprefix(SERVED).lstrip('/')}/model/note.txt"


NOT_ALLOWED = Failure(
    kind=FailureKind.NOT_PERMITTED,
    message="the journey writes, and writing is not allowed here",
    remedy="--allow-writes allows it: everything that it makes, it removes again",
)
