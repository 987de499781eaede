"""What is read of the control plane, section by section; each names the sections it builds on.

A section is a function of the client, the environment's names and what earlier sections said,
to plain JSON. Only the sections that the selected checks ask for are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

from harness.aws.side_by_side import side_by_side
from harness.aws.view import groups_of
from harness.environment import Environment

TASKS_PER_CALL = 100
ARNS_PER_CALL = 20


class Reader(Protocol):
    """Reads one operation; see ``harness.aws.client``."""

    def read(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Return the response of a read operation."""


Earlier = dict[str, dict[str, Any]]


class At(NamedTuple):
    """What a section reads with: the client, the environment's names, what earlier ones said."""

    aws: Reader
    environment: Environment
    earlier: Earlier


Read = Callable[[At], dict[str, Any]]


class Section(NamedTuple):
    """One section: how it is read, what it builds on, which service and operation it is."""

    read: Read
    service: str
    operation: str
    needs: tuple[str, ...]


SECTIONS: dict[str, Section] = {}


def section(name: str, operation: str, *needs: str) -> Callable[[Read], Read]:
    """Register a function as the section ``name``; ``operation`` is ``service.operation``.

    A need that ends with ``?`` may be missing: an empty one takes its place.
    """

    def register(read: Read) -> Read:
        service, _, method = operation.partition(".")
        SECTIONS[name] = Section(read, service, method, needs)
        return read

    return register


@section("identity", "sts.get_caller_identity")
def identity(at: At) -> dict[str, Any]:
    """Who the suite is, to AWS."""
    return at.aws.read("sts", "get_caller_identity")


@section("services", "ecs.describe_services")
def services(at: At) -> dict[str, Any]:
    """The ECS services: deployments, events, network configuration, registries."""
    assert at.environment.aws is not None
    return at.aws.read(
        "ecs",
        "describe_services",
        cluster=at.environment.aws.cluster,
        services=[each.service for each in at.environment.aws.services.values()],
    )


@section("tasks", "ecs.describe_tasks")
def tasks(at: At) -> dict[str, Any]:
    """Running and recently stopped tasks of the cluster."""
    assert at.environment.aws is not None
    cluster = at.environment.aws.cluster
    listed = side_by_side(
        lambda status: at.aws.read("ecs", "list_tasks", cluster=cluster, desiredStatus=status),
        ("RUNNING", "STOPPED"),
    )
    arns = [arn for answer in listed.values() for arn in answer.get("taskArns", [])]
    found = [
        task
        for batch in batches(arns, TASKS_PER_CALL)
        for task in at.aws.read("ecs", "describe_tasks", cluster=cluster, tasks=batch)["tasks"]
    ]
    return {"tasks": found}


@section("deployments", "ecs.list_service_deployments")
def deployments(at: At) -> dict[str, Any]:
    """The deployments of each service, the latest first, by service."""
    assert at.environment.aws is not None
    names = at.environment.aws

    def of(service: str) -> list[Any]:
        asked = {"cluster": names.cluster, "service": service}
        found = at.aws.read("ecs", "list_service_deployments", **asked)
        return sorted(
            found.get("serviceDeployments", []),
            key=lambda deployment: -float(deployment.get("createdAt") or 0),
        )

    return side_by_side(of, [each.service for each in names.services.values()])


@section("task-definitions", "ecs.describe_task_definition", "services", "tasks")
def task_definitions(at: At) -> dict[str, Any]:
    """The task definitions in use, the newest of each family, and the one before it."""
    used = [each["taskDefinition"] for each in at.earlier["services"]["services"]]
    used += [task["taskDefinitionArn"] for task in at.earlier["tasks"]["tasks"]]
    families = sorted({*map(_family, used)})
    newest = side_by_side(lambda family: newest_revisions(at, family), families)
    described = side_by_side(
        lambda arn: at.aws.read("ecs", "describe_task_definition", taskDefinition=arn)[
            "taskDefinition"
        ],
        dict.fromkeys([*used, *(arn for arns in newest.values() for arn in arns)]),
    )
    return {"taskDefinitions": described, "newest": newest}


def newest_revisions(at: At, family: str) -> list[str]:
    """Return the ARNs of a family's two newest active revisions, newest first."""
    listed = at.aws.read("ecs", "list_task_definitions", familyPrefix=family, sort="DESC")
    mine = [arn for arn in listed.get("taskDefinitionArns", []) if _family(arn) == family]
    return sorted(mine, key=lambda arn: -int(arn.rpartition(":")[2]))[:2]


@section("namespaces", "servicediscovery.list_namespaces")
def namespaces(at: At) -> dict[str, Any]:
    """The Cloud Map namespaces."""
    return at.aws.read("servicediscovery", "list_namespaces")


@section("discovery-services", "servicediscovery.list_services", "namespaces")
def discovery_services(at: At) -> dict[str, Any]:
    """The Cloud Map services of each private namespace."""
    names = {each["Id"]: each["Name"] for each in at.earlier["namespaces"].get("Namespaces", [])}

    def of(namespace: str) -> list[dict[str, Any]]:
        condition = {"Name": "NAMESPACE_ID", "Values": [namespace], "Condition": "EQ"}
        listed = at.aws.read("servicediscovery", "list_services", Filters=[condition])
        return [{**each, "Namespace": names[namespace]} for each in listed.get("Services", [])]

    found = side_by_side(of, names)
    return {"Services": [each for services in found.values() for each in services]}


@section("discovery-instances", "servicediscovery.list_instances", "discovery-services")
def discovery_instances(at: At) -> dict[str, Any]:
    """The instances registered with each Cloud Map service, by service id."""
    return side_by_side(
        lambda service: at.aws.read("servicediscovery", "list_instances", ServiceId=service).get(
            "Instances", []
        ),
        [each["Id"] for each in at.earlier["discovery-services"]["Services"]],
    )


@section("tasks-afterwards", "ecs.describe_tasks", "discovery-instances")
def tasks_afterwards(at: At) -> dict[str, Any]:
    """The tasks once more, after the registered instances: tasks come and go meanwhile."""
    return tasks(at)


@section("network-interfaces", "ec2.describe_network_interfaces", "tasks")
def network_interfaces(at: At) -> dict[str, Any]:
    """The network interfaces of the running tasks."""
    ids = [
        detail["value"]
        for task in at.earlier["tasks"]["tasks"]
        if task.get("lastStatus") == "RUNNING"
        for attachment in task.get("attachments", [])
        for detail in attachment.get("details", [])
        if detail["name"] == "networkInterfaceId"
    ]
    if not ids:
        return {"NetworkInterfaces": []}
    wanted = {"Name": "network-interface-id", "Values": ids}
    return at.aws.read("ec2", "describe_network_interfaces", Filters=[wanted])


@section(
    "security-groups",
    "ec2.describe_security_groups",
    "services",
    "network-interfaces",
    "database?",
    "all-load-balancers",
)
def security_groups(at: At) -> dict[str, Any]:
    """The security groups of tasks, database and load balancers, by id."""
    ids = {
        group["GroupId"]
        for interface in at.earlier["network-interfaces"]["NetworkInterfaces"]
        for group in interface.get("Groups", [])
    }
    for instance in at.earlier["database"].get("DBInstances", []):
        ids |= {g["VpcSecurityGroupId"] for g in instance.get("VpcSecurityGroups", [])}
    for each in at.earlier["services"].get("services", []):
        ids |= set(groups_of(each))
    for balancer in at.earlier["all-load-balancers"].get("LoadBalancers", []):
        ids |= set(balancer.get("SecurityGroups", []))
    found = at.aws.read("ec2", "describe_security_groups", GroupIds=sorted(ids)) if ids else {}
    return {group["GroupId"]: group for group in found.get("SecurityGroups", [])}


@section("network-acls", "ec2.describe_network_acls", "network-interfaces")
def network_acls(at: At) -> dict[str, Any]:
    """The network ACLs of the tasks' subnets."""
    subnets = sorted({i["SubnetId"] for i in at.earlier["network-interfaces"]["NetworkInterfaces"]})
    if not subnets:
        return {"NetworkAcls": []}
    wanted = {"Name": "association.subnet-id", "Values": subnets}
    return at.aws.read("ec2", "describe_network_acls", Filters=[wanted])


@section("database", "rds.describe_db_instances")
def database(at: At) -> dict[str, Any]:
    """The database instance."""
    name = at.environment.need("database.instance")
    return at.aws.read("rds", "describe_db_instances", DBInstanceIdentifier=name)


@section("secret", "secretsmanager.describe_secret")
def secret(at: At) -> dict[str, Any]:
    """The application secret's metadata: never its value."""
    assert at.environment.aws is not None
    return at.aws.read("secretsmanager", "describe_secret", SecretId=at.environment.aws.secret)


@section("target-groups", "elbv2.describe_target_groups", "services")
def target_groups(at: At) -> dict[str, Any]:
    """The target groups that the services register with."""
    arns = [
        entry["targetGroupArn"]
        for each in at.earlier["services"]["services"]
        for entry in each.get("loadBalancers", [])
    ]
    found = [
        group
        for batch in batches(list(dict.fromkeys(arns)), ARNS_PER_CALL)
        for group in at.aws.read("elbv2", "describe_target_groups", TargetGroupArns=batch)[
            "TargetGroups"
        ]
    ]
    return {"TargetGroups": found}


@section("target-health", "elbv2.describe_target_health", "target-groups")
def target_health(at: At) -> dict[str, Any]:
    """The health of each target, by target group."""
    return side_by_side(
        lambda arn: at.aws.read("elbv2", "describe_target_health", TargetGroupArn=arn).get(
            "TargetHealthDescriptions", []
        ),
        [group["TargetGroupArn"] for group in at.earlier["target-groups"]["TargetGroups"]],
    )


@section("all-load-balancers", "elbv2.describe_load_balancers")
def all_load_balancers(at: At) -> dict[str, Any]:
    """Every load balancer, the internal ones too."""
    return at.aws.read("elbv2", "describe_load_balancers")


@section("load-balancers", "elbv2.describe_load_balancers", "target-groups", "all-load-balancers")
def load_balancers(at: At) -> dict[str, Any]:
    """The load balancers in front of the services."""
    assert at.environment.aws is not None
    named = {each.load_balancer for each in at.environment.aws.services.values()}
    arns = {a for g in at.earlier["target-groups"]["TargetGroups"] for a in g["LoadBalancerArns"]}
    found = at.earlier["all-load-balancers"].get("LoadBalancers", [])
    return {
        "LoadBalancers": [
            each
            for each in found
            if each["LoadBalancerArn"] in arns or each["LoadBalancerName"] in named
        ]
    }


@section("route-tables", "ec2.describe_route_tables", "load-balancers")
def route_tables(at: At) -> dict[str, Any]:
    """The route tables of the load balancers' subnets, and of their VPCs."""
    vpcs = sorted({each["VpcId"] for each in at.earlier["load-balancers"]["LoadBalancers"]})
    if not vpcs:
        return {"RouteTables": []}
    wanted = {"Name": "vpc-id", "Values": vpcs}
    return at.aws.read("ec2", "describe_route_tables", Filters=[wanted])


@section("listeners", "elbv2.describe_listeners", "load-balancers")
def listeners(at: At) -> dict[str, Any]:
    """The listeners of those load balancers, by load balancer."""
    return side_by_side(
        lambda arn: at.aws.read("elbv2", "describe_listeners", LoadBalancerArn=arn).get(
            "Listeners", []
        ),
        [each["LoadBalancerArn"] for each in at.earlier["load-balancers"]["LoadBalancers"]],
    )


@section("rules", "elbv2.describe_rules", "listeners")
def rules(at: At) -> dict[str, Any]:
    """The rules of those listeners, by listener, in the order in which they are tried."""
    return side_by_side(
        lambda arn: sorted(
            at.aws.read("elbv2", "describe_rules", ListenerArn=arn)["Rules"], key=_rule_order
        ),
        [each["ListenerArn"] for found in at.earlier["listeners"].values() for each in found],
    )


@section("certificates", "acm.describe_certificate", "listeners")
def certificates(at: At) -> dict[str, Any]:
    """The certificates that the listeners present, by ARN."""
    arns = {
        certificate["CertificateArn"]
        for found in at.earlier["listeners"].values()
        for listener in found
        for certificate in listener.get("Certificates", [])
    }
    return side_by_side(
        lambda arn: at.aws.read("acm", "describe_certificate", CertificateArn=arn)["Certificate"],
        sorted(arns),
    )


def batches(items: list[str], size: int) -> Iterable[list[str]]:
    """Return ``items`` in lists of at most ``size``."""
    return [items[start : start + size] for start in range(0, len(items), size)]


def _family(arn: str) -> str:
    return arn.rpartition("/")[2].partition(":")[0]


def _rule_order(rule: dict[str, Any]) -> int:
    return 100_000 if rule["Priority"] == "default" else int(rule["Priority"])
