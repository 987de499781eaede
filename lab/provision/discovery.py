"""Cloud Map: the private namespace and the services in it."""

from __future__ import annotations

import contextlib
import time

from lab import names
from lab.platform import Platform

SERVICES = ("mlflow", "api")
_TTL = 10
_DELETE_WITHIN = 5.0


def create_discovery(platform: Platform, namespace: str = names.NAMESPACE) -> None:
    """Create a private namespace of the VPC with the platform's services in it."""
    platform.aws.servicediscovery.create_private_dns_namespace(Name=namespace, Vpc=platform.vpc())
    for service in SERVICES:
        create_service(platform, platform.namespace(namespace), service)


def create_service(platform: Platform, namespace_id: str, name: str) -> None:
    """Create a Cloud Map service whose instances are found under its name."""
    platform.aws.servicediscovery.create_service(
        Name=name,
        NamespaceId=namespace_id,
        DnsConfig={
            "RoutingPolicy": "MULTIVALUE",
            "DnsRecords": [{"Type": "A", "TTL": _TTL}],
        },
        HealthCheckCustomConfig={"FailureThreshold": 1},
    )


def delete_discovery(platform: Platform, namespace: str) -> None:
    """Delete a namespace with its services; AWS wants their instances gone before."""
    for name in SERVICES:
        _delete_service(platform, platform.discovery_service(namespace, name)["Id"])
    platform.aws.servicediscovery.delete_namespace(Id=platform.namespace(namespace))


def _delete_service(platform: Platform, service: str) -> None:
    """A task that was on its way may still register meanwhile: then once more."""
    cloud_map, deadline = platform.aws.servicediscovery, time.monotonic() + _DELETE_WITHIN
    while True:
        for instance in cloud_map.list_instances(ServiceId=service)["Instances"]:
            with contextlib.suppress(cloud_map.exceptions.InstanceNotFound):
                cloud_map.deregister_instance(ServiceId=service, InstanceId=instance["Id"])
        try:
            cloud_map.delete_service(Id=service)
            return
        except cloud_map.exceptions.ResourceInUse:
            if time.monotonic() > deadline:
                raise
