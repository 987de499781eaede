"""Cloud Map: the private namespace and the services in it."""

from __future__ import annotations

from lab import names
from lab.platform import Platform

SERVICES = ("mlflow", "api")
_TTL = 10


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
    cloud_map = platform.aws.servicediscovery
    for name in SERVICES:
        service = platform.discovery_service(namespace, name)["Id"]
        for instance in cloud_map.list_instances(ServiceId=service)["Instances"]:
            cloud_map.deregister_instance(ServiceId=service, InstanceId=instance["Id"])
        cloud_map.delete_service(Id=service)
    cloud_map.delete_namespace(Id=platform.namespace(namespace))
