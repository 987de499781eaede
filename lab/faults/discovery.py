"""Faults of names and addresses inside the network."""

from __future__ import annotations

from lab import names
from lab.faults.fault import declare
from lab.platform import Platform
from lab.provision.discovery import create_discovery, delete_discovery
from lab.provision.tasks import registries

_FOUND_AS = {names.MLFLOW: "mlflow", names.API: "api"}


def _move(platform: Platform, source: str, target: str) -> None:
    """Create the namespace anew under another name, and let the services register there."""
    create_discovery(platform, target)
    for service, name in _FOUND_AS.items():
        platform.aws.ecs.update_service(
            cluster=names.CLUSTER,
            service=service,
            serviceRegistries=registries(platform, name, target),
        )
    delete_discovery(platform, source)


declare(
    "namespace-of-the-infrastructure-code",
    f"The Cloud Map namespace is {names.NAMESPACE_OF_THE_INFRASTRUCTURE_CODE}, "
    f"while the task definitions name {names.NAMESPACE}",
    apply=lambda platform: _move(
        platform, names.NAMESPACE, names.NAMESPACE_OF_THE_INFRASTRUCTURE_CODE
    ),
    heal=lambda platform: _move(
        platform, names.NAMESPACE_OF_THE_INFRASTRUCTURE_CODE, names.NAMESPACE
    ),
)
