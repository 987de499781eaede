"""Cloud Map: the private namespace and the services in it."""

from __future__ import annotations

from lab import names
from lab.platform import Platform

SERVICES = ("mlflow", "api")
_TTL = 10


def create_discovery(platform: Platform, namespace: str = names.NAMESPACE) -> None:
    """Create a private namespace of the VPC with the platform's services in it."""
    cloud_map = platform.aws.servicediscovery
    cloud_map.create_private_dns_namespace(Name=namespace, Vpc=platform.vpc())
    identifier = platform.namespace(namespace)
    for service in SERVICES:
        cloud_map.create_service(
            Name=service,
            NamespaceId=identifier,
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
