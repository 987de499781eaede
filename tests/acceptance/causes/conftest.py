"""The sections of the AWS control plane that cause checks judge."""

from __future__ import annotations

from typing import Any

from harness.environment import Environment
from harness.plugin.declare import probe
from harness.specs import AwsProbe


def _section(name: str) -> Any:
    def declared(environment: Environment) -> AwsProbe:
        return AwsProbe(section=name, deadline=environment.limits.deadline)

    declared.__name__ = name.replace("-", "_")
    declared.__doc__ = f"The control plane's {name.replace('-', ' ')}."
    return probe(declared)


services = _section("services")
tasks = _section("tasks")
task_definitions = _section("task-definitions")
namespaces = _section("namespaces")
discovery_services = _section("discovery-services")
discovery_instances = _section("discovery-instances")
network_interfaces = _section("network-interfaces")
security_groups = _section("security-groups")
network_acls = _section("network-acls")
database = _section("database")
secret = _section("secret")
target_groups = _section("target-groups")
target_health = _section("target-health")
load_balancers = _section("load-balancers")
listeners = _section("listeners")
rules = _section("rules")
certificates = _section("certificates")
