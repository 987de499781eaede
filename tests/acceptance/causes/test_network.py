"""The network between the parts: security groups and network ACLs in the control plane."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

import pytest

from harness.aws import paths, view
from harness.aws.paths import SOMEWHERE, Hop
from harness.environment import Environment
from harness.expect import CannotJudge
from harness.finding import CauseFound, Finding, aws, require
from harness.observation import AwsObservation
from harness.plugin.declare import cause

EPHEMERAL = 50_000
HopOf = Callable[[], Hop]


@pytest.fixture
def hops(
    environment: Environment,
    services: AwsObservation,
    tasks: AwsObservation,
    database: AwsObservation,
    target_groups: AwsObservation,
    load_balancers: AwsObservation,
) -> dict[str, HopOf]:
    """Every connection that the platform needs, by name."""
    names = view.names(environment)

    def groups(name: str) -> tuple[str, ...]:
        return tuple(view.groups_of(view.service(services, names.services[name].service)))

    def address(name: str) -> str | None:
        running = view.running_tasks(tasks, names.services[name].service)
        return view.address(running[0]) if running else None

    def between(caller: str, callee: str) -> Hop:
        port = names.services[callee].port
        return Hop(
            caller, groups(caller), callee, groups(callee), port, address(caller), address(callee)
        )

    def to_database(caller: str) -> Hop:
        if database.failure is not None:
            raise CannotJudge(str(database.failure))
        instance = database.response["DBInstances"][0]
        attached = tuple(g["VpcSecurityGroupId"] for g in instance["VpcSecurityGroups"])
        port = int(instance["Endpoint"]["Port"])
        return Hop(caller, groups(caller), "the database", attached, port, address(caller))

    def from_balancer(callee: str) -> Hop:
        balancer = _balancer(environment, callee, target_groups, load_balancers)
        attached, port = tuple(balancer["SecurityGroups"]), names.services[callee].port
        return Hop(
            "the load balancer", attached, callee, groups(callee), port, None, address(callee)
        )

    def from_internet(port: int) -> Hop:
        balancer = _balancer(environment, "api", target_groups, load_balancers)
        attached = tuple(balancer["SecurityGroups"])
        return Hop("the internet", (), "the load balancer", attached, port, SOMEWHERE)

    return {
        "api-to-mlflow": lambda: between("api", "mlflow"),
        "api-to-database": lambda: to_database("api"),
        "mlflow-to-database": lambda: to_database("mlflow"),
        "balancer-to-api": lambda: from_balancer("api"),
        "balancer-to-mlflow": lambda: from_balancer("mlflow"),
        "balancer-to-auth": lambda: from_balancer("auth"),
        "internet-to-balancer-80": lambda: from_internet(80),
        "internet-to-balancer-443": lambda: from_internet(443),
    }


def _balancer(
    environment: Environment,
    service: str,
    target_groups: AwsObservation,
    load_balancers: AwsObservation,
) -> view.Json:
    wanted = view.names(environment).services[service]
    group = view.target_group(target_groups, wanted.target_group)
    balancer = view.balancer_of(load_balancers, wanted, group)
    if not balancer:
        raise CannotJudge(f"no load balancer has the target group {wanted.target_group}")
    return balancer


@pytest.mark.p0
@pytest.mark.parametrize(
    "path",
    [
        "api-to-mlflow",
        "api-to-database",
        "mlflow-to-database",
        "balancer-to-api",
        "balancer-to-mlflow",
        "balancer-to-auth",
        "internet-to-balancer-80",
        "internet-to-balancer-443",
    ],
)
@cause
def test_security_groups_admit(
    path: str, hops: dict[str, HopOf], security_groups: AwsObservation
) -> None:
    """The callee's groups let the caller in, and the caller's groups let it out."""
    found = paths.finding(hops[path](), security_groups.response)
    if found is not None:
        raise CauseFound(found)


@pytest.mark.p0
@cause
def test_the_way_to_the_auth_service_is_open(
    environment: Environment,
    services: AwsObservation,
    all_load_balancers: AwsObservation,
    security_groups: AwsObservation,
    api_variables: dict[str, str],
) -> None:
    """The groups admit the API to the auth service, by way of a load balancer if it names one."""
    names = view.names(environment)
    api = tuple(view.groups_of(view.service(services, names.services["api"].service)))
    auth = tuple(view.groups_of(view.service(services, names.services["auth"].service)))
    host = view.host_of(api_variables.get("AUTH_SERVICE_URL", ""))
    balancers = all_load_balancers.response["LoadBalancers"]
    balancer = next((b for b in balancers if b["DNSName"].lower() == host), None)
    port = names.services["auth"].port
    middle = tuple(balancer["SecurityGroups"]) if balancer else auth
    route = [Hop("api", api, "the auth load balancer" if balancer else "auth", middle, port)]
    route += [Hop("the auth load balancer", middle, "auth", auth, port)] if balancer else []
    broken = [f for f in (paths.finding(hop, security_groups.response) for hop in route) if f]
    if broken:
        raise CauseFound(broken[0])


@pytest.mark.p0
@cause
def test_no_network_acl_denies_the_tasks(
    environment: Environment, network_interfaces: AwsObservation, network_acls: AwsObservation
) -> None:
    """The subnets' network ACLs let TCP through between the tasks, in both directions."""
    ports = [each.port for each in view.names(environment).services.values()] + [EPHEMERAL]
    interfaces = network_interfaces.response["NetworkInterfaces"]
    addresses = [each["PrivateIpAddress"] for each in interfaces]
    denied = [
        (acl["NetworkAclId"], entry)
        for acl in network_acls.response["NetworkAcls"]
        for address in addresses
        for port in ports
        for egress in (False, True)
        if (entry := _deciding(acl["Entries"], egress, port, address))["RuleAction"] == "deny"
    ]
    acl, entry = denied[0] if denied else ("", {})
    number = str(entry.get("RuleNumber", ""))
    direction = "egress" if entry.get("Egress") else "ingress"
    require(
        not denied,
        Finding(
            what="a network ACL of the tasks' subnets denies traffic between the parts",
            resource=f"network ACL {acl}",
            expected="TCP allowed within the VPC",
            observed=f"{direction} rule {number} denies {entry.get('CidrBlock')}",
            mend=(
                aws(
                    "ec2",
                    "delete-network-acl-entry",
                    network_acl_id=acl,
                    rule_number=number,
                    **{direction: True},
                ),
            ),
        ),
    )


@pytest.mark.p0
@cause
def test_the_load_balancers_subnets_lead_to_the_internet(
    load_balancers: AwsObservation, route_tables: AwsObservation
) -> None:
    """The subnets of every internet-facing load balancer have a route to an internet gateway."""
    public = {
        zone["SubnetId"]
        for each in load_balancers.response["LoadBalancers"]
        if each["Scheme"] == "internet-facing"
        for zone in each["AvailabilityZones"]
    }
    tables = {subnet: _table(route_tables.response["RouteTables"], subnet) for subnet in public}
    cut_off = {
        table.get("RouteTableId", f"the table of {subnet}"): table.get("VpcId", "")
        for subnet, table in sorted(tables.items())
        if not any(map(_to_the_internet, table.get("Routes", [])))
    }
    require(
        not cut_off,
        Finding(
            what="the load balancer's subnets have no route to the internet",
            resource=f"route table {', '.join(cut_off)}",
            expected="0.0.0.0/0 by an internet gateway",
            observed="no such route",
            mend=tuple(
                f"aws ec2 create-route --route-table-id {table} --destination-cidr-block 0.0.0.0/0 "
                '--gateway-id "$(aws ec2 describe-internet-gateways --filters '
                f"Name=attachment.vpc-id,Values={vpc} "
                "--query 'InternetGateways[0].InternetGatewayId' --output text)\""
                for table, vpc in cut_off.items()
            ),
        ),
    )


def _table(tables: list[view.Json], subnet: str) -> view.Json:
    """The subnet's own route table, else the main one."""
    own = (t for t in tables if any(a.get("SubnetId") == subnet for a in t["Associations"]))
    main = (t for t in tables if any(a.get("Main") for a in t["Associations"]))
    return next(own, next(main, {}))


def _to_the_internet(route: view.Json) -> bool:
    gateway = str(route.get("GatewayId", ""))
    return route.get("DestinationCidrBlock") == "0.0.0.0/0" and gateway.startswith("igw-")


def _deciding(entries: list[view.Json], egress: bool, port: int, address: str) -> view.Json:
    ordered = sorted(entries, key=lambda entry: int(entry["RuleNumber"]))
    matching = (
        entry
        for entry in ordered
        if bool(entry["Egress"]) == egress and _covers(entry, port, address)
    )
    return next(matching, {"RuleAction": "deny", "RuleNumber": "*", "Egress": egress})


def _covers(entry: view.Json, port: int, address: str) -> bool:
    span = entry.get("PortRange") or {}
    network = ipaddress.ip_network(entry.get("CidrBlock", "0.0.0.0/0"), strict=False)
    return (
        str(entry["Protocol"]) in ("-1", "6")
        and int(span.get("From", 0)) <= port <= int(span.get("To", 65_535))
        and ipaddress.ip_address(address) in network
    )
