"""Faults of the network: security groups, network ACLs, the resolver, routes."""

from __future__ import annotations

from typing import Any

from lab import names
from lab.faults.fault import declare
from lab.platform import Platform
from lab.provision.network import INTERNAL_BALANCER_GROUP, from_group, from_range

_ANYWHERE = "0.0.0.0/0"
_EVERYTHING = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": _ANYWHERE}]}
_DENY = 50


def _without(name: str, summary: str, group: str, source: str | None, port: int) -> None:
    """Declare the fault that a group lacks a rule: from another group, or (None) from anywhere."""

    def rule(platform: Platform) -> Any:
        if source is None:
            return from_range(_ANYWHERE, port, "as mended")
        return from_group(platform.group(source), port, "as mended")

    def revoke(platform: Platform) -> None:
        platform.aws.ec2.revoke_security_group_ingress(
            GroupId=platform.group(group), IpPermissions=[rule(platform)]
        )

    def authorize(platform: Platform) -> None:
        platform.aws.ec2.authorize_security_group_ingress(
            GroupId=platform.group(group), IpPermissions=[rule(platform)]
        )

    declare(name, summary, changes=f"{group} {source} {port}", apply=revoke, heal=authorize)


def _without_egress(name: str, summary: str, group: str) -> None:
    def revoke(platform: Platform) -> None:
        platform.aws.ec2.revoke_security_group_egress(
            GroupId=platform.group(group),
            IpPermissions=[_EVERYTHING],  # type: ignore[list-item]
        )

    def authorize(platform: Platform) -> None:
        platform.aws.ec2.authorize_security_group_egress(
            GroupId=platform.group(group),
            IpPermissions=[_EVERYTHING],  # type: ignore[list-item]
        )

    declare(name, summary, changes=f"{group} egress", apply=revoke, heal=authorize)


def _acl(platform: Platform) -> str:
    found = platform.aws.ec2.describe_network_acls(
        Filters=[{"Name": "association.subnet-id", "Values": platform.subnets("private")[:1]}]
    )["NetworkAcls"]
    return found[0]["NetworkAclId"]


def _denied(name: str, summary: str, first: int, last: int, *, egress: bool) -> None:
    def deny(platform: Platform) -> None:
        platform.aws.ec2.create_network_acl_entry(
            NetworkAclId=_acl(platform),
            RuleNumber=_DENY,
            Protocol="6",
            RuleAction="deny",
            Egress=egress,
            CidrBlock=platform.network.cidr,
            PortRange={"From": first, "To": last},
        )

    def forget(platform: Platform) -> None:
        platform.aws.ec2.delete_network_acl_entry(
            NetworkAclId=_acl(platform), RuleNumber=_DENY, Egress=egress
        )

    declare(name, summary, changes="network ACL", apply=deny, heal=forget)


def _support_dns(supported: bool) -> Any:
    def change(platform: Platform) -> None:
        platform.aws.ec2.modify_vpc_attribute(
            VpcId=platform.vpc(), EnableDnsSupport={"Value": supported}
        )

    return change


def _public_table(platform: Platform) -> str:
    found = platform.aws.ec2.describe_route_tables(
        Filters=[{"Name": "association.subnet-id", "Values": platform.subnets("public")[:1]}]
    )["RouteTables"]
    return found[0]["RouteTableId"]


def _cut_off(platform: Platform) -> None:
    platform.aws.ec2.delete_route(
        RouteTableId=_public_table(platform), DestinationCidrBlock=_ANYWHERE
    )


def _reconnect(platform: Platform) -> None:
    gateway = platform.aws.ec2.describe_internet_gateways(
        Filters=[{"Name": "attachment.vpc-id", "Values": [platform.vpc()]}]
    )["InternetGateways"][0]["InternetGatewayId"]
    platform.aws.ec2.create_route(
        RouteTableId=_public_table(platform),
        DestinationCidrBlock=_ANYWHERE,
        GatewayId=gateway,
    )


_without(
    "no-rule-from-api-to-mlflow",
    "The tasks' security group has no rule from itself to MLflow's port",
    names.TASK_GROUP,
    names.TASK_GROUP,
    5000,
)
_without(
    "no-rule-from-tasks-to-database",
    "The database's security group does not admit the tasks",
    names.DATABASE_GROUP,
    names.TASK_GROUP,
    5432,
)
_without(
    "no-rule-from-balancer-to-api",
    "The tasks' security group does not admit the load balancers to the API",
    names.TASK_GROUP,
    names.BALANCER_GROUP,
    8001,
)
_without(
    "no-rule-from-balancer-to-mlflow",
    "The tasks' security group does not admit the load balancers to MLflow",
    names.TASK_GROUP,
    names.BALANCER_GROUP,
    5000,
)
_without(
    "no-rule-from-balancer-to-auth",
    "The tasks' security group does not admit the public load balancer to the auth service",
    names.TASK_GROUP,
    names.BALANCER_GROUP,
    8000,
)
_without(
    "no-rule-from-internal-balancer-to-auth",
    "The tasks' security group does not admit the internal load balancer to the auth service",
    names.TASK_GROUP,
    INTERNAL_BALANCER_GROUP,
    8000,
)
_without(
    "no-rule-from-tasks-to-internal-balancer",
    "The internal load balancer's security group does not admit the tasks",
    INTERNAL_BALANCER_GROUP,
    names.TASK_GROUP,
    8000,
)
_without(
    "no-rule-for-https",
    "The load balancers' security group does not admit anybody to port 443",
    names.BALANCER_GROUP,
    None,
    443,
)
_without(
    "no-rule-for-http",
    "The load balancers' security group does not admit anybody to port 80",
    names.BALANCER_GROUP,
    None,
    80,
)
_without_egress(
    "tasks-without-egress",
    "The tasks' security group lets nothing out",
    names.TASK_GROUP,
)
_without_egress(
    "balancer-without-egress",
    "The load balancers' security group lets nothing out",
    names.BALANCER_GROUP,
)
_denied(
    "acl-denies-mlflow",
    "A network ACL of the tasks' subnets denies MLflow's port",
    5000,
    5000,
    egress=False,
)
_denied(
    "acl-denies-answers",
    "A network ACL of the tasks' subnets lets no answers out",
    1024,
    65_535,
    egress=True,
)
declare(
    "vpc-without-dns",
    "DNS support of the VPC is switched off: its resolver does not answer",
    changes="vpc dns",
    apply=_support_dns(False),
    heal=_support_dns(True),
)
declare(
    "public-subnets-without-a-route",
    "The public subnets have no route to the internet any more",
    changes="public route table",
    apply=_cut_off,
    heal=_reconnect,
)
