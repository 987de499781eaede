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
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from harness.observation import Failure, FailureKind, HttpObservation, JourneyObservation
from harness.specs import HttpProbe, JourneyProbe

PREFIX = "hokusai-acceptance-"
MOUNT = "/api/mlflow/api/2.0"
SERVED = "mlflow-artifacts:/"
CONTENT = "written by the acceptance suite"
METRIC = 0.875
MOST_LEFT = 1000

Ask = Callable[[HttpProbe], Awaitable[HttpObservation]]


class _Stop(Exception):
    """A step that did not do what it is to do; the rest would say nothing."""


class _Steps:
    """Asks step by step and keeps what was seen."""

    def __init__(self, probe: JourneyProbe, ask: Ask) -> None:
        self._probe, self._ask = probe, ask
        self.seen: list[HttpObservation] = []

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
        answer = await self._ask(asked)
        self.seen.append(answer)
        if answer.failure is not None or answer.status != 200:
            raise _Stop(f"{method} {path.partition('?')[0]}")
        return answer


async def observe(probe: JourneyProbe, ask: Ask) -> JourneyObservation:
    """Go the journey and remove all of it again, as far as it came. ``ask`` is guarded."""
    steps = _Steps(probe, ask)
    name = f"{PREFIX}{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{secrets.token_hex(3)}"
    undo: list[tuple[str, str, Mapping[str, Any] | None]] = []
    stopped = ""
    try:
        async with asyncio.timeout(probe.deadline):
            await _go(steps, name, undo)
    except _Stop as stop:
        stopped = str(stop)
    except TimeoutError:
        stopped = f"its deadline: {probe.deadline:g} s in all"
    finally:
        # Also when the run is interrupted: what was made is not left there.
        kept = await _remove(steps, undo)
    return JourneyObservation(
        name=name,
        steps=tuple(steps.seen),
        stopped=stopped,
        left_behind=tuple(kept),
        failure=_unjudgeable(steps.seen),
    )


def _unjudgeable(seen: list[HttpObservation]) -> Failure | None:
    return next((s.failure for s in seen if s.failure and s.failure.unjudgeable), None)


async def _go(
    steps: _Steps, name: str, undo: list[tuple[str, str, Mapping[str, Any] | None]]
) -> None:
    made = await steps.call("POST", "mlflow/experiments/create", {"name": name})
    experiment = str(made.get("experiment_id"))
    undo.append(("POST", "mlflow/experiments/delete", {"experiment_id": experiment}))
    run = await _tracked(steps, experiment, undo)
    if str(run["artifact_uri"]).startswith(SERVED):
        await _stored(steps, str(run["artifact_uri"]), undo)
    await _registered(steps, name, run, undo)


async def _tracked(steps: _Steps, experiment: str, undo: list[Any]) -> dict[str, Any]:
    asked = {"experiment_id": experiment, "start_time": int(time.time() * 1000)}
    made = await steps.call("POST", "mlflow/runs/create", asked)
    info: dict[str, Any] = _within(made, "run", "info")
    run = str(info.get("run_id"))
    undo.append(("POST", "mlflow/runs/delete", {"run_id": run}))
    metric = {"run_id": run, "key": "accuracy", "value": METRIC, "timestamp": 1}
    await steps.call("POST", "mlflow/runs/log-metric", metric)
    read = await steps.call("GET", f"mlflow/runs/get?run_id={quote(run, safe='')}")
    metrics = _within(read, "run", "data").get("metrics", [])
    if [each.get("value") for each in metrics] != [METRIC]:
        raise _Stop("mlflow/runs/get: the metric that was logged is not read back")
    return {"run_id": run, "artifact_uri": info.get("artifact_uri", "")}


async def _stored(steps: _Steps, uri: str, undo: list[Any]) -> None:
    path = _artifact(uri)
    undo.append(("DELETE", path, None))
    await steps.send("PUT", path, CONTENT)
    if (await steps.send("GET", path)).body != CONTENT:
        raise _Stop("mlflow-artifacts: the artifact that was stored is not read back")


async def _registered(steps: _Steps, name: str, run: dict[str, Any], undo: list[Any]) -> None:
    await steps.call("POST", "mlflow/registered-models/create", {"name": name})
    undo.append(("DELETE", "mlflow/registered-models/delete", {"name": name}))
    source = f"{run['artifact_uri']}/model"
    asked = {"name": name, "source": source, "run_id": run["run_id"]}
    made = _within(await steps.call("POST", "mlflow/model-versions/create", asked), "model_version")
    version = {"name": name, "version": str(made.get("version"))}
    undo.append(("DELETE", "mlflow/model-versions/delete", version))
    asked_for = f"name={quote(name, safe='')}&version={quote(version['version'], safe='')}"
    read = await steps.call("GET", f"mlflow/model-versions/get?{asked_for}")
    if _within(read, "model_version").get("run_id") != run["run_id"]:
        raise _Stop("mlflow/model-versions/get: the version is not read back as registered")


def _within(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        inner = document.get(key)
        document = inner if isinstance(inner, dict) else {}
    return document


async def _remove(
    steps: _Steps, undo: list[tuple[str, str, Mapping[str, Any] | None]]
) -> list[str]:
    kept = []
    for method, path, body in reversed(undo):
        try:
            await steps.send(method, path, body)
        except _Stop as stop:
            kept.append(str(stop))
    return kept


async def clean(probe: JourneyProbe, ask: Ask) -> JourneyObservation:
    """Remove every experiment and model that a journey left behind."""
    steps, stopped = _Steps(probe, ask), ""
    undo: list[tuple[str, str, Mapping[str, Any] | None]] = []
    try:
        undo += await _left(steps)
    except _Stop as stop:
        stopped = str(stop)
    kept = await _remove(steps, undo)
    return JourneyObservation(
        name=PREFIX,
        steps=tuple(steps.seen),
        stopped=stopped,
        left_behind=tuple(kept),
        failure=_unjudgeable(steps.seen),
        removed=len(undo) - len(kept),
    )


async def _left(steps: _Steps) -> list[tuple[str, str, Mapping[str, Any] | None]]:
    like = quote(f"name LIKE '{PREFIX}%'", safe="")
    query = f"search?max_results={MOST_LEFT}&filter={like}"
    experiments = await steps.call("GET", f"mlflow/experiments/{query}")
    models = await steps.call("GET", f"mlflow/registered-models/{query}")
    found: list[tuple[str, str, Mapping[str, Any] | None]] = []
    for each in experiments.get("experiments", []):
        if str(each.get("name", "")).startswith(PREFIX):
            asked = {"experiment_id": each["experiment_id"]}
            found.append(("POST", "mlflow/experiments/delete", asked))
            found += [("DELETE", path, None) for path in await _artifacts(steps, asked)]
    return found + [
        ("DELETE", "mlflow/registered-models/delete", {"name": each["name"]})
        for each in models.get("registered_models", [])
        if str(each.get("name", "")).startswith(PREFIX)
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
