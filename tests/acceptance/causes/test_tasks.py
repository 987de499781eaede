"""The tasks behind the services: are there any, do they start, and do they run what they should?"""

from __future__ import annotations

import pytest

from harness.aws import view
from harness.environment import Environment
from harness.finding import Finding, aws, require
from harness.observation import AwsObservation
from harness.plugin.declare import cause
from harness.rollout import GIVEN_UP
from tests.acceptance.causes import revising

SERVICES = ("api", "mlflow", "auth")
BY_ITSELF = ("TaskFailedToStart", "EssentialContainerExited")
every_service = pytest.mark.parametrize("name", SERVICES)


def _service(environment: Environment, services: AwsObservation, name: str) -> view.Json:
    return view.service(services, view.names(environment).services[name].service)


def _still_good(running: list[view.Json], ended: list[view.Json]) -> str | None:
    """Return the task definition of a task that runs on, if it is not that of those that end."""
    bad = {task["taskDefinitionArn"] for task in ended}
    good = (task["taskDefinitionArn"] for task in running)
    return next((arn for arn in good if arn not in bad), None)


def _back(environment: Environment, name: str, good: str | None) -> tuple[str, ...]:
    """Return the commands that show why, and go back to what ran before, if that is known."""
    log = revising.log_of(environment, name)
    if good is None:
        return (f"{log}   # why; then deploy what mends it:", revising.deployed(environment, name))
    return (
        f"{log}   # why; back to what ran before:",
        *revising.back_to(environment, name, view.revision(good)),
    )


@pytest.mark.p0
@every_service
@cause
def test_the_service_wants_tasks(
    name: str, environment: Environment, services: AwsObservation
) -> None:
    """The service exists and is not scaled to zero."""
    names, service = view.names(environment), _service(environment, services, name)
    target = names.services[name].service
    wanted = service.get("desiredCount", 0)
    require(
        wanted > 0,
        Finding(
            what=f"the {name} service is told to run no task",
            resource=f"ECS service {target}",
            expected="desiredCount of at least 1",
            observed=f"desiredCount {wanted}" if service else "no such service",
            mend=(
                aws(
                    "ecs", "update-service", cluster=names.cluster, service=target, desired_count=1
                ),
            ),
        ),
    )


@pytest.mark.p0
@every_service
@cause
def test_the_tasks_of_the_service_start(
    name: str, environment: Environment, services: AwsObservation, tasks: AwsObservation
) -> None:
    """No task has ended by itself since the last one was started, or else was to be deployed."""
    names = view.names(environment)
    target = names.services[name].service
    running = view.running_tasks(tasks, target)
    since = float(
        running[0].get("startedAt") or 0
        if running
        else view.deployed_at(_service(environment, services, name))
    )
    ended = [
        task
        for task in view.stopped_tasks(tasks, target)
        if task.get("stopCode") in BY_ITSELF and float(task.get("createdAt") or 0) >= since
    ]
    reason = ended[0].get("stoppedReason", "") if ended else ""
    require(
        not ended,
        Finding(
            what=f"tasks of the {name} service end by themselves",
            resource=f"ECS service {target}, "
            f"task definition {view.revision(ended[0]['taskDefinitionArn']) if ended else ''}",
            expected="a task that keeps running",
            observed=f"{len(ended)} ended, the last one with: {reason}",
            mend=_back(environment, name, _still_good(running, ended)),
        ),
    )


@pytest.mark.p0
@every_service
@cause
def test_the_service_runs_its_tasks(
    name: str, environment: Environment, services: AwsObservation, tasks: AwsObservation
) -> None:
    """As many tasks run as the service wants, and at least one."""
    service = _service(environment, services, name)
    target = view.names(environment).services[name].service
    running, wanted = len(view.running_tasks(tasks, target)), service.get("desiredCount", 0)
    require(
        running >= max(wanted, 1),
        Finding(
            what=f"the {name} service has fewer tasks than it wants",
            resource=f"ECS service {target}",
            expected=f"{max(wanted, 1)} running",
            observed=f"{running} running",
            mend=(revising.deployed(environment, name),),
        ),
    )


@pytest.mark.p1
@every_service
@cause
def test_no_rollout_of_the_service_failed(
    name: str, environment: Environment, services: AwsObservation, deployments: AwsObservation
) -> None:
    """The last deployment was not given up or rolled back."""
    service = _service(environment, services, name)
    target = view.names(environment).services[name].service
    latest: view.Json = next(iter(deployments.response.get(target, [])), {})
    status = latest.get("status", "")
    require(
        status not in GIVEN_UP,
        Finding(
            what=f"the last rollout of the {name} service was given up",
            resource=f"ECS service {target}",
            expected="status SUCCESSFUL",
            observed=f"{status}: {latest.get('statusReason', 'no reason given')}",
            mend=_back(environment, name, service.get("taskDefinition")),
        ),
    )


@pytest.mark.p1
@every_service
@cause
def test_the_newest_revision_runs(
    name: str,
    environment: Environment,
    services: AwsObservation,
    task_definitions: AwsObservation,
) -> None:
    """The service is deployed with the newest revision of its task definition."""
    service = _service(environment, services, name)
    deployed = service.get("taskDefinition", "")
    newest = task_definitions.response["newest"].get(view.family(deployed), [deployed])[0]
    require(
        deployed == newest,
        Finding(
            what=f"the {name} service runs an older revision than the newest one",
            resource=f"ECS service {service.get('serviceName')}",
            expected=view.revision(newest),
            observed=view.revision(deployed),
            mend=(revising.deployed(environment, name, view.revision(newest)),),
        ),
    )


@pytest.mark.p1
@every_service
@cause
def test_the_running_tasks_are_of_the_deployed_revision(
    name: str, environment: Environment, services: AwsObservation, tasks: AwsObservation
) -> None:
    """No task of an older revision still serves."""
    service = _service(environment, services, name)
    target = view.names(environment).services[name].service
    running = {task["taskDefinitionArn"] for task in view.running_tasks(tasks, target)}
    deployed = service.get("taskDefinition", "")
    require(
        running <= {deployed},
        Finding(
            what=f"tasks of an older revision of the {name} service still run",
            resource=f"ECS service {target}",
            expected=view.revision(deployed),
            observed=", ".join(sorted(map(view.revision, running))),
            mend=(revising.deployed(environment, name),),
        ),
    )


@pytest.mark.p1
@every_service
@cause
def test_the_expected_build_is_deployed(
    name: str,
    environment: Environment,
    services: AwsObservation,
    task_definitions: AwsObservation,
) -> None:
    """The service runs the image that this environment is expected to run."""
    expected = environment.need(f"aws.services.{name}.image")
    service = _service(environment, services, name)
    definition = view.definition(task_definitions, service.get("taskDefinition"))
    container = view.names(environment).services[name].container
    image = view.container(definition, container).get("image", "")
    require(
        image.endswith(expected),
        Finding(
            what=f"the {name} service runs another build than the one expected here",
            resource=f"task definition {view.revision(service.get('taskDefinition', ''))}",
            expected=expected,
            observed=image.partition("/")[2] or image,
            mend=revising.with_image(environment, name, expected),
        ),
    )


@pytest.mark.p1
@every_service
@cause
def test_no_secret_was_lost_between_revisions(
    name: str,
    environment: Environment,
    services: AwsObservation,
    task_definitions: AwsObservation,
) -> None:
    """The deployed revision is given every secret that the revision before it was given."""
    service = _service(environment, services, name)
    deployed = service.get("taskDefinition", "")
    container = view.names(environment).services[name].container
    newest = task_definitions.response["newest"].get(view.family(deployed), [])
    secrets = {
        arn: view.secrets(view.container(view.definition(task_definitions, arn), container))
        for arn in {deployed, *newest}
    }
    before = next((secrets[arn] for arn in newest if arn != deployed), {})
    lost = sorted(set(before) - set(secrets[deployed]))
    first = lost[0] if lost else ""
    require(
        not lost,
        Finding(
            what=f"the deployed revision of the {name} service lost a secret of the one before",
            resource=f"task definition {view.revision(deployed)}",
            expected=", ".join(sorted(before)),
            observed=", ".join(sorted(secrets[deployed])) or "no secrets",
            mend=revising.with_secret(environment, name, first, before.get(first, "")),
        ),
    )
