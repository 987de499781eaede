"""A small incident for tests of the hand-off: what a run of a few checks would have found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from harness import catalogue, diagnosis, environment, layout
from harness.finding import Finding
from harness.observation import (
    AwsObservation,
    DnsObservation,
    Failure,
    FailureKind,
    HttpObservation,
    Observation,
)
from harness.reports.handoff import Sources
from harness.reports.run_json import RunFacts
from harness.signatures import sightings
from harness.verdicts import CheckResult, Status, judge

ROOT = Path(__file__).parents[3]
CATALOGUE = catalogue.load(ROOT / "failures")
GRAPH = diagnosis.load(ROOT / "causes" / "platform.yaml")
LAYOUT = layout.load(ROOT / "causes" / "request-path.yaml")
NXDOMAIN = Failure(kind=FailureKind.DNS_NXDOMAIN, message="mlflow.hokusai.local: not known")
PROXY = '{"detail":"Failed to connect to MLflow server at http://mlflow.hokusai.local:5000"}'

OBSERVATIONS: tuple[Observation, ...] = (
    HttpObservation(
        probe="proxy",
        label="GET https://registry.hokus.ai/api/mlflow from runner",
        url="https://registry.hokus.ai/api/mlflow",
        request_headers={"X-API-Key": "[redacted]"},
        status=502,
        body=PROXY,
        duration_ms=20.0,
    ),
    DnsObservation(
        probe="name",
        label="resolve mlflow.hokusai.local A from task:api",
        vantage="task:api",
        name="mlflow.hokusai.local",
        failure=NXDOMAIN,
        duration_ms=5.0,
    ),
    HttpObservation(
        probe="health",
        label="GET https://registry.hokus.ai/health from runner",
        url="https://registry.hokus.ai/health",
        status=200,
        body='{"status":"healthy"}',
        duration_ms=10.0,
    ),
    AwsObservation(
        probe="services",
        label="AWS: services",
        response={
            "services": [
                {
                    "serviceName": "hokusai-api-development",
                    "taskDefinition": "arn:aws:ecs:x:1:task-definition/hokusai-api-development:7",
                    "runningCount": 1,
                    "desiredCount": 1,
                    "deployments": [
                        {"status": "PRIMARY", "rolloutState": "COMPLETED", "createdAt": 0}
                    ],
                }
            ]
        },
    ),
)
NAMESPACE = Finding(
    what="Cloud Map has no private namespace hokusai.local",
    resource="Cloud Map namespace hokusai.local",
    expected="hokusai.local",
    observed="hokusai-development.local",
    mend=("aws servicediscovery create-private-dns-namespace --name hokusai.local --vpc vpc-1",),
)


def check(id: str, status: Status, failure: str = "", **more: Any) -> CheckResult:
    """A check's result; its sightings are those that its observations show."""
    role = "symptom" if failure else "cause"
    found = {}
    if failure and status is Status.FAILED:
        mine = [o for o in OBSERVATIONS if o.probe in more.get("probes", ())]
        found = {failure: sightings(CATALOGUE[failure].signatures, mine)}
    return CheckResult(
        id=id,
        role=role,
        status=status,
        severity=more.pop("severity", "p0"),
        failures=(failure,) if failure else (),
        title=f"What {id} promises",
        sightings=found,
        **more,
    )


CHECKS = (
    check(
        "the-mlflow-proxy-reaches-mlflow",
        Status.FAILED,
        "registry-api-outage",
        message=f"expected HTTP 200: HTTP 502 {PROXY}",
        probes=("proxy",),
    ),
    check(
        "the-internal-name-of-mlflow-resolves",
        Status.FAILED,
        "service-discovery",
        message="dns-nxdomain",
        probes=("name",),
    ),
    check("health-does-not-hang", Status.PASSED, "health-endpoints", probes=("health",)),
    check(
        "cloud-map-has-the-namespace",
        Status.FAILED,
        finding=NAMESPACE,
        message="no namespace",
        probes=("services",),
    ),
    check("cloud-map-has-the-service", Status.FAILED, message="no service"),
    check("security-groups-admit[api-to-mlflow]", Status.PASSED),
    check("no-network-acl-denies-the-tasks", Status.PASSED),
    check(
        "mlflow-answers-from-its-database", Status.BLOCKED, message="no way in", remedy="give one"
    ),
)


def sources(
    checks: tuple[CheckResult, ...] = CHECKS,
    observations: tuple[Observation, ...] = OBSERVATIONS,
    *,
    name: str = "prod",
    settings: dict[str, Any] | None = None,
    **more: Any,
) -> Sources:
    """The run as the hand-off gets it; ``settings`` change the environment's fields."""
    tested = environment.load(name, ROOT / "environments", {})
    tested = msgspec.structs.replace(tested, **(settings or {}))
    judgements = judge(CATALOGUE, checks)
    return Sources(
        facts=RunFacts(run="run-1", environment=name, started=0.0, exit_code=1),
        duration_s=3.14,
        environment=tested,
        catalogue=CATALOGUE,
        layout=LAYOUT,
        checks=checks,
        judgements=judgements,
        diagnosis=diagnosis.diagnose(GRAPH, checks, judgements, name),
        observations={each.probe: each for each in observations},
        **more,
    )
