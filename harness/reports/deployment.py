"""What a run saw deployed, and where it could look from: read from its observations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.aws import view
from harness.observation import AwsObservation, Observation
from harness.specs import AwsProbe

OBSERVATIONS, SAMPLES = "observations.jsonl", "samples.jsonl"
IDENTITY = AwsProbe(section="identity", deadline=1).label
SERVICES = AwsProbe(section="services", deadline=1).label


def revisions_in(observations: Iterable[Observation]) -> dict[str, str]:
    """Return each ECS service's deployed revision (``family:number``), if AWS was asked."""
    return {
        each["serviceName"]: view.revision(each["taskDefinition"])
        for observation in observations
        if isinstance(observation, AwsObservation) and observation.label == SERVICES
        for each in observation.response.get("services", [])
        if each.get("taskDefinition")
    }


def identity_in(observations: Iterable[Observation]) -> str:
    """Return the ARN that AWS knew the suite by; empty if it was not asked."""
    told = (
        each.response.get("Arn", "")
        for each in observations
        if isinstance(each, AwsObservation) and each.label == IDENTITY
    )
    return str(next(told, ""))


def vantage_points(observations: Mapping[str, Observation]) -> tuple[str, ...]:
    """Return where probes ran from and got to judge something."""
    return tuple(
        sorted(
            {
                each.vantage
                for each in observations.values()
                if not isinstance(each, AwsObservation)
                and not (each.failure is not None and each.failure.unjudgeable)
            }
        )
    )
