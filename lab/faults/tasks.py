"""Faults of services: which build runs, how many tasks, whether a rollout can end."""

from __future__ import annotations

from functools import partial

from lab import names
from lab.faults.fault import Change, declare
from lab.platform import Container, Platform, set_image_tag, set_variable

_DOCUMENTED = "2025-08-06"
_MISSING = "not-pushed"
_DEFAULTS = {
    "deploymentCircuitBreaker": {"enable": True, "rollback": True},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
}
_STOP_FIRST = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 100,
    "minimumHealthyPercent": 0,
}
_NO_BREAKER = {**_DEFAULTS, "deploymentCircuitBreaker": {"enable": False, "rollback": False}}


def _tag(service: str, tag: str) -> Change:
    return lambda platform: platform.revise(service, partial(set_image_tag, tag=tag))


def _restore(service: str) -> Change:
    return lambda platform: platform.restore(service)


def _scale(service: str, count: int) -> Change:
    def change(platform: Platform) -> None:
        platform.aws.ecs.update_service(cluster=names.CLUSTER, service=service, desiredCount=count)

    return change


def _register_only(service: str) -> Change:
    def edit(container: Container) -> None:
        set_variable(container, "RELEASE", "next")

    return lambda platform: platform.register(service, edit)


def _deploy_with(service: str, options: object, edit: Change | None = None) -> Change:
    """Set how the service is deployed, then deploy."""

    def change(platform: Platform) -> None:
        platform.aws.ecs.update_service(
            cluster=names.CLUSTER,
            service=service,
            deploymentConfiguration=options,  # type: ignore[arg-type]
        )
        if edit is not None:
            edit(platform)

    return change


def _unhealthy_container(service: str) -> Change:
    def edit(container: Container) -> None:
        port = container["portMappings"][0]["containerPort"]
        command = ["CMD-SHELL", f"curl -f http://localhost:{port}/no-such-path"]
        container["healthCheck"] = {"command": command, "interval": 5, "timeout": 2, "retries": 1}

    return lambda platform: platform.revise(service, edit)


def _crash_at_start(container: Container) -> None:
    set_variable(container, "API_PORT", "eight thousand")


declare(
    "api-build-of-2025-08-06",
    "The API runs the build of 2025-08-06 with its health report and circuit breaker",
    changes="api image",
    deploys=("api",),
    apply=_tag(names.API, _DOCUMENTED),
    heal=_restore(names.API),
)
declare(
    "auth-build-of-2025-08-06",
    "The auth service runs the build of 2025-08-06, which looks for the key in the body only",
    changes="auth image",
    deploys=("auth",),
    apply=_tag(names.AUTH, _DOCUMENTED),
    heal=_restore(names.AUTH),
)
declare(
    "api-build-with-an-inert-breaker",
    "The API runs a build whose circuit breaker never opens",
    changes="api image",
    deploys=("api",),
    apply=_tag(names.API, "breaker-inert"),
    heal=_restore(names.API),
)
declare(
    "api-build-with-a-stuck-breaker",
    "The API runs a build whose circuit breaker never closes again",
    changes="api image",
    deploys=("api",),
    apply=_tag(names.API, "breaker-stuck"),
    heal=_restore(names.API),
)
declare(
    "mlflow-build-of-another-release",
    "MLflow runs another release than the one that is expected here",
    changes="mlflow image",
    deploys=("mlflow",),
    apply=_tag(names.MLFLOW, "3.16"),
    heal=_restore(names.MLFLOW),
)
declare(
    "api-crashes-at-start",
    "A value that the API cannot read ends every new task of it, so that each rollout is reverted",
    changes="api rollout",
    deploys=("api",),
    apply=lambda platform: platform.revise(names.API, _crash_at_start),
    heal=_restore(names.API),
)
for _name, _service in names.SERVICES.items():
    declare(
        f"{_name}-scaled-to-zero",
        f"The {_name} service is told to run no task",
        changes=f"{_name} count",
        apply=_scale(_service, 0),
        heal=_scale(_service, 1),
    )
    declare(
        f"{_name}-image-not-pushed",
        f"The {_name} service is deployed with an image that is not there; the rollout is reverted",
        changes=f"{_name} rollout",
        deploys=(_name,),
        apply=_tag(_service, _MISSING),
        heal=_restore(_service),
    )
    declare(
        f"{_name}-without-any-task",
        f"The {_name} service stopped its old task before the new one failed to start",
        changes=f"{_name} rollout",
        deploys=(_name,),
        apply=_deploy_with(_service, _STOP_FIRST, _tag(_service, _MISSING)),
        heal=_deploy_with(_service, _DEFAULTS, _restore(_service)),
    )
    declare(
        f"{_name}-release-not-deployed",
        f"A newer revision of the {_name} task definition was registered, and never deployed",
        changes=f"{_name} rollout",
        deploys=(_name,),
        apply=_register_only(_service),
        heal=_restore(_service),
    )
    declare(
        f"{_name}-container-unhealthy-and-rolled-back",
        f"The container health check of a new {_name} revision asks for a path that is not there, "
        "so the rollout is reverted",
        changes=f"{_name} rollout",
        deploys=(_name,),
        apply=_unhealthy_container(_service),
        heal=_restore(_service),
    )
    declare(
        f"{_name}-container-never-healthy",
        f"The container health check of a new {_name} revision asks for a path that is not there, "
        "so the rollout never ends and the old revision goes on serving",
        changes=f"{_name} rollout",
        deploys=(_name,),
        apply=_deploy_with(_service, _NO_BREAKER, _unhealthy_container(_service)),
        heal=_deploy_with(_service, _DEFAULTS, _restore(_service)),
    )
