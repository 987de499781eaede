"""Is what was deployed there, and is it what was to be deployed? Pure functions on AWS state."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from harness.aws import view
from harness.aws.view import Json
from harness.errors import UsageError

GIVEN_UP = (
    "STOPPED",
    "ROLLBACK_REQUESTED",
    "ROLLBACK_IN_PROGRESS",
    "ROLLBACK_SUCCESSFUL",
    "ROLLBACK_FAILED",
)
# Fewer letters of a git hash may be those of another.
SHORTEST = 7
HASH = re.compile(r"[0-9a-f]{7,40}")
# What a revision without the name of a service is about.
USUAL = "api"


class Standing(StrEnum):
    """How a rollout stands; the worst first."""

    ROLLED_BACK = "rolled back"
    STALE = "another revision"
    UNDER_WAY = "under way"
    DONE = "done"


class Rollout(NamedTuple):
    """One service's rollout, and what shows that it stands so."""

    service: str
    standing: Standing
    told: str


class State(NamedTuple):
    """What AWS says of one service: itself, its deployments (latest first), its tasks, and the task
    definition that it is to run.
    """

    description: Json
    history: list[Json]
    running: list[Json]
    definition: Json
    container: str


def revisions(text: str, services: Iterable[str]) -> dict[str, str]:
    """Return the expected revision by service, from ``[SERVICE=]REVISION,…``. Raises UsageError."""
    found: dict[str, str] = {}
    for part in filter(None, (each.strip() for each in text.split(","))):
        name, equals, revision = part.partition("=")
        name, revision = (name, revision) if equals else (USUAL, part)
        if name not in set(services):
            known = ", ".join(services)
            raise UsageError(f"--revision {part}: there is no service '{name}', only {known}")
        if len(revision) < SHORTEST:
            raise UsageError(
                f"--revision {part}: a git hash, tag or image digest of at least {SHORTEST} letters"
            )
        found[name] = revision
    return found


def rollout(name: str, state: State, revision: str | None) -> Rollout:
    """Return how the rollout of a service stands, held against the revision if there is one."""
    if not state.description:
        return Rollout(name, Standing.STALE, "there is no such service")
    if (failed := _given_up(state)) is not None:
        return Rollout(name, Standing.ROLLED_BACK, failed)
    if revision is not None and (other := _other(state, revision)) is not None:
        return Rollout(name, Standing.STALE, other)
    if (left := _left_to_do(state, revision)) is not None:
        return Rollout(name, Standing.UNDER_WAY, left)
    return Rollout(name, Standing.DONE, f"runs {_told(state)}")


def _primary(state: State) -> Json:
    found = state.description.get("deployments", [])
    return next((each for each in found if each.get("status") == "PRIMARY"), {})


def _given_up(state: State) -> str | None:
    latest: Mapping[str, str] = next(iter(state.history), {})
    if latest.get("status") in GIVEN_UP:
        return f"{latest['status']}: {latest.get('statusReason', 'no reason given')}"
    if _primary(state).get("rolloutState") == "FAILED":
        return f"FAILED: {_primary(state).get('rolloutStateReason', 'no reason given')}"
    return None


def _other(state: State, revision: str) -> str | None:
    """Return what is deployed instead of the revision; None if it is that, or not known yet."""
    if any(_is(image, revision) for image in _images(state)):
        return None
    # A digest is known once a task of the deployment runs.
    if revision.startswith("sha256:") and not _digests(state):
        return None
    return f"{_told(state)} is deployed, not {revision}"


def _images(state: State) -> set[str]:
    definition = view.container(state.definition, state.container)
    images = {definition.get("image", "no image")}
    return images | {f"{image}@{digest}" for image in images for digest in _digests(state)}


def _told(state: State) -> str:
    """Return the image for people: with its digest, once a task tells it."""
    images = _images(state)
    return ", ".join(sorted(each for each in images if "@" in each) or images)


def _digests(state: State) -> set[str]:
    wanted = state.description.get("taskDefinition")
    return {
        container["imageDigest"]
        for task in state.running
        if task.get("taskDefinitionArn") == wanted
        for container in task.get("containers", [])
        if container.get("name") == state.container and container.get("imageDigest")
    }


def _is(image: str, revision: str) -> bool:
    named, _, digest = image.partition("@")
    if revision.startswith("sha256:"):
        return digest == revision
    tag = named.rpartition("/")[2].partition(":")[2]
    if not (HASH.fullmatch(tag) and HASH.fullmatch(revision)):
        return tag == revision
    # A pipeline may tag with a shorter or longer form of the same hash.
    return tag.startswith(revision) or revision.startswith(tag)


def _left_to_do(state: State, revision: str | None) -> str | None:
    wanted, running = state.description.get("desiredCount", 0), len(state.running)
    deployments, primary = state.description.get("deployments", []), _primary(state)
    if primary.get("rolloutState", "COMPLETED") != "COMPLETED" or len(deployments) > 1:
        of = view.revision(primary.get("taskDefinition", "?"))
        return f"{of} is being rolled out: {primary.get('runningCount', 0)} of {wanted} tasks run"
    if running < wanted:
        return f"{running} of {wanted} tasks run"
    if revision is not None and not any(_is(image, revision) for image in _images(state)):
        return "no task tells its image's digest yet"
    return None
