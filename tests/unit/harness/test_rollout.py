"""Whether a deployment is there, and whether it is the one that was to be judged."""

from __future__ import annotations

from typing import Any

import pytest

from harness import rollout
from harness.errors import UsageError
from harness.rollout import Standing, State

DEFINITION = "arn:aws:ecs:us-east-1:1:task-definition/api:7"
DIGEST = "sha256:" + "a" * 64
HASH = "0123456789abcdef0123456789abcdef01234567"


def state(
    *,
    image: str = f"registry/hokusai/api:{HASH[:12]}",
    rollout_state: str | None = "COMPLETED",
    deployments: int = 1,
    wanted: int = 1,
    running: int = 1,
    digest: str | None = None,
    latest: dict[str, Any] | None = None,
) -> State:
    primary = {"status": "PRIMARY", "taskDefinition": DEFINITION, "runningCount": running}
    if rollout_state:
        primary["rolloutState"] = rollout_state
    told = {"imageDigest": digest} if digest else {}
    task = {"taskDefinitionArn": DEFINITION, "containers": [{"name": "api", **told}]}
    return State(
        description={
            "desiredCount": wanted,
            "taskDefinition": DEFINITION,
            "deployments": [primary, *[{"status": "ACTIVE"}] * (deployments - 1)],
        },
        history=[latest] if latest else [],
        running=[task] * running,
        definition={"containerDefinitions": [{"name": "api", "image": image}]},
        container="api",
    )


def standing(given: State, revision: str | None = None) -> Standing:
    return rollout.rollout("api", given, revision).standing


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (state(), Standing.DONE),
        (state(rollout_state=None), Standing.DONE),
        (state(wanted=0, running=0), Standing.DONE),
        (state(rollout_state="IN_PROGRESS"), Standing.UNDER_WAY),
        (state(deployments=2), Standing.UNDER_WAY),
        (state(wanted=2), Standing.UNDER_WAY),
        (state(rollout_state="FAILED"), Standing.ROLLED_BACK),
        (state(latest={"status": "ROLLBACK_IN_PROGRESS"}), Standing.ROLLED_BACK),
        (state(latest={"status": "SUCCESSFUL"}), Standing.DONE),
        (State({}, [], [], {}, "api"), Standing.STALE),
    ],
)
def test_how_a_rollout_stands(given: State, expected: Standing) -> None:
    assert standing(given) is expected


@pytest.mark.parametrize(
    ("revision", "given", "expected"),
    [
        (HASH[:12], state(), Standing.DONE),
        (HASH, state(), Standing.DONE),
        (HASH[:7], state(), Standing.DONE),
        ("fedcba9876", state(), Standing.STALE),
        # The tag of the image, not a part of its name.
        ("hokusai", state(), Standing.STALE),
        (DIGEST, state(digest=DIGEST), Standing.DONE),
        (DIGEST, state(image=f"registry/hokusai/api@{DIGEST}"), Standing.DONE),
        (DIGEST, state(digest="sha256:" + "b" * 64), Standing.STALE),
        (DIGEST, state(), Standing.UNDER_WAY),
        # What is rolled out is another one already: waiting would not help.
        ("fedcba9876", state(rollout_state="IN_PROGRESS"), Standing.STALE),
    ],
)
def test_the_revision_is_held_against_what_is_deployed(
    revision: str, given: State, expected: Standing
) -> None:
    assert standing(given, revision) is expected


@pytest.mark.parametrize(
    ("tag", "revision"),
    [("release-10", "release-1"), ("release", "release-42"), ("1.2.3-rc10", "1.2.3-rc1")],
)
def test_only_hashes_may_be_shortened(tag: str, revision: str) -> None:
    assert standing(state(image=f"registry/api:{tag}"), revision) is Standing.STALE
    assert standing(state(image=f"registry/api:{tag}"), tag) is Standing.DONE


def test_an_image_without_a_tag_is_no_revision() -> None:
    assert standing(state(image="registry:5000/api"), "5000/api") is Standing.STALE


def test_revisions_are_given_by_service_or_for_the_api() -> None:
    services = ("api", "mlflow", "auth")
    assert rollout.revisions("abcdef1, mlflow=v3.17.0", services) == {
        "api": "abcdef1",
        "mlflow": "v3.17.0",
    }
    assert rollout.revisions("", services) == {}
    with pytest.raises(UsageError, match="no service 'web'"):
        rollout.revisions("web=abcdef1", services)
    with pytest.raises(UsageError, match="at least 7 letters"):
        rollout.revisions("abc", services)
