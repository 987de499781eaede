"""The network: VPC, subnets, routes, and the security groups as mended after the incident."""

from __future__ import annotations

from typing import Any

from lab import names
from lab.addresses import Network
from lab.platform import Platform

INTERNAL_BALANCER_GROUP = f"hokusai-internal-alb-{names.STAGE}"
_ANYWHERE = "0.0.0.0/0"


def create_network(platform: Platform) -> None:
    """Create the VPC with its public, private and database subnets, and the security groups."""
    vpc = _create_vpc(platform)
    subnets = {
        (tier, zone): _create_subnet(platform, vpc, tier, zone, cidr)
        for tier, zone, cidr in _subnets(platform.network)
    }
    _route_to_the_internet(platform, vpc, subnets)
    _create_groups(platform, vpc)


def task_rules(platform: Platform) -> list[Any]:
    """What the tasks' security group lets in: the load balancers, and tasks among themselves.

    The rule from the group to itself was missing until the incident was mended.
    """
    balancer = platform.group(names.BALANCER_GROUP)
    internal = platform.group(INTERNAL_BALANCER_GROUP)
    tasks = platform.group(names.TASK_GROUP)
    return [
        from_group(balancer, 8001, "API from the load balancers"),
        from_group(balancer, 5000, "MLflow from the load balancers"),
        from_group(balancer, 8000, "Auth from the load balancers"),
        from_group(internal, 8000, "Auth from the internal load balancer"),
        from_group(tasks, 5000, "API to MLflow"),
        from_group(tasks, 8000, "API to auth"),
    ]


def _subnets(network: Network) -> list[tuple[str, str, str]]:
    # Tasks get a new address each time, so the private subnets are the large ones.
    return [
        ("public", "a", network.subnet(1)),
        ("public", "b", network.subnet(2)),
        ("private", "a", network.subnet(16, bits=20)),
        ("private", "b", network.subnet(32, bits=20)),
        ("database", "a", network.subnet(101)),
        ("database", "b", network.subnet(102)),
    ]


def _create_vpc(platform: Platform) -> str:
    ec2 = platform.aws.ec2
    vpc = ec2.create_vpc(
        CidrBlock=platform.network.cidr, TagSpecifications=_tagged("vpc", f"hokusai-{names.STAGE}")
    )["Vpc"]["VpcId"]
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsSupport={"Value": True})
    ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
    return vpc


def _create_subnet(platform: Platform, vpc: str, tier: str, zone: str, cidr: str) -> str:
    name = f"hokusai-{tier}-{zone}-{names.STAGE}"
    subnet = platform.aws.ec2.create_subnet(
        VpcId=vpc,
        CidrBlock=cidr,
        AvailabilityZone=f"{names.REGION}{zone}",
        TagSpecifications=_tagged("subnet", name, Tier=tier),
    )["Subnet"]
    return subnet["SubnetId"]


def _route_to_the_internet(
    platform: Platform, vpc: str, subnets: dict[tuple[str, str], str]
) -> None:
    """Public subnets by the internet gateway, private ones by a NAT gateway, databases not."""
    ec2 = platform.aws.ec2
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    address = ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = ec2.create_nat_gateway(SubnetId=subnets["public", "a"], AllocationId=address)
    targets: tuple[tuple[str, Any], ...] = (
        ("public", {"GatewayId": gateway}),
        ("private", {"NatGatewayId": nat["NatGateway"]["NatGatewayId"]}),
    )
    for tier, target in targets:
        table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        ec2.create_route(RouteTableId=table, DestinationCidrBlock=_ANYWHERE, **target)
        for zone in ("a", "b"):
            ec2.associate_route_table(RouteTableId=table, SubnetId=subnets[tier, zone])


def _create_groups(platform: Platform, vpc: str) -> None:
    balancer = _create_group(platform, vpc, names.BALANCER_GROUP, "Public load balancers")
    internal = _create_group(platform, vpc, INTERNAL_BALANCER_GROUP, "Internal load balancer")
    tasks = _create_group(platform, vpc, names.TASK_GROUP, "ECS tasks")
    database = _create_group(platform, vpc, names.DATABASE_GROUP, "RDS PostgreSQL")
    from_anywhere = [from_range(_ANYWHERE, 80, "HTTP"), from_range(_ANYWHERE, 443, "HTTPS")]
    for group, rules in (
        (balancer, from_anywhere),
        (internal, [from_group(tasks, 8000, "Auth for the tasks")]),
        (tasks, task_rules(platform)),
        (database, [from_group(tasks, 5432, "PostgreSQL from the tasks")]),
    ):
        platform.aws.ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=rules)


def _create_group(platform: Platform, vpc: str, name: str, description: str) -> str:
    return platform.aws.ec2.create_security_group(
        VpcId=vpc,
        GroupName=name,
        Description=description,
        TagSpecifications=_tagged("security-group", name),
    )["GroupId"]


def from_group(group: str, port: int, description: str) -> Any:
    """An ingress rule that admits the members of a security group to a TCP port."""
    pair = {"GroupId": group, "Description": description}
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "UserIdGroupPairs": [pair]}


def from_range(cidr: str, port: int, description: str) -> Any:
    """An ingress rule that admits an address range to a TCP port."""
    ranges = [{"CidrIp": cidr, "Description": description}]
    return {"IpProtocol": "tcp", "FromPort": port, "ToPort": port, "IpRanges": ranges}


def _tagged(kind: str, name: str, **more: str) -> Any:
    tags = [{"Key": key, "Value": value} for key, value in {"Name": name, **more}.items()]
    return [{"ResourceType": kind, "Tags": tags}]
