"""Where moto answers otherwise than AWS: corrected on its own backend objects, one by one."""

from __future__ import annotations

import ipaddress
import json
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any

from lab.aws.answer import Answer
from lab.aws.backends import Backends
from lab.aws.call import Call
from lab.aws.hooks import Hooks
from lab.edge.model import TargetHealth

HealthOf = Callable[[str], Sequence[TargetHealth]]


def name_balancers_as_aws(backends: Backends) -> None:
    """DNS names of load balancers: with a number, and `internal-` before those that are."""
    elbv2 = backends.elbv2
    create = elbv2.create_load_balancer

    def create_load_balancer(*arguments: Any, **parameters: Any) -> Any:
        made = create(*arguments, **parameters)
        prefix = "internal-" if made.scheme == "internal" else ""
        number = 10**9 + secrets.randbelow(9 * 10**9)
        made.dns_name = f"{prefix}{made.name}-{number}.{backends.region}.elb.amazonaws.com"
        return made

    elbv2.create_load_balancer = create_load_balancer


def tell_real_target_health(backends: Backends, health_of: HealthOf) -> None:
    """DescribeTargetHealth from real checks instead of `healthy` for everything."""
    from moto.elbv2.exceptions import TargetGroupNotFoundError
    from moto.elbv2.models import FakeHealthStatus

    elbv2 = backends.elbv2

    def shown(group: Any, item: TargetHealth) -> Any:
        port = group.health_check_port
        checked = str(item.target.port) if port == "traffic-port" else port
        return FakeHealthStatus(
            item.target.address,
            str(item.target.port),
            checked,
            item.state,
            item.reason,
            item.description,
        )

    def describe_target_health(target_group_arn: str, targets: list[dict[str, Any]]) -> list[Any]:
        group = elbv2.target_groups.get(target_group_arn)
        if group is None:
            raise TargetGroupNotFoundError
        found = [shown(group, each) for each in health_of(target_group_arn)]
        if not targets:
            return found
        by_id = {each.instance_id: each for each in found}
        return [
            by_id.get(each["Id"]) or group.health_for(each, elbv2.ec2_backend) for each in targets
        ]

    elbv2.describe_target_health = describe_target_health


def mend_cloud_map(backends: Backends) -> None:
    """An instance registered again replaces the first; addresses are looked at; nothing in use
    can be deleted.
    """
    cloud_map = backends.servicediscovery
    register = cloud_map.register_instance
    delete_service, delete_namespace = cloud_map.delete_service, cloud_map.delete_namespace

    def register_instance(
        service_id: str, instance_id: str, creator_request_id: str, attributes: dict[str, str]
    ) -> Any:
        address = attributes.get("AWS_INSTANCE_IPV4")
        if address is not None and not _is_ipv4(address):
            raise _refused("InvalidInput", f"AWS_INSTANCE_IPV4 is not an IPv4 address: {address}")
        instances = cloud_map.get_service(service_id).instances
        instances[:] = [each for each in instances if each.instance_id != instance_id]
        return register(service_id, instance_id, creator_request_id, attributes)

    def delete_unused_service(service_id: str) -> Any:
        if service_id in cloud_map.services and cloud_map.services[service_id].instances:
            raise _refused("ResourceInUse", f"service {service_id} has instances")
        return delete_service(service_id)

    def delete_unused_namespace(namespace_id: str) -> Any:
        if any(each.namespace_id == namespace_id for each in cloud_map.services.values()):
            raise _refused("ResourceInUse", f"namespace {namespace_id} has services")
        return delete_namespace(namespace_id)

    cloud_map.register_instance = register_instance
    cloud_map.delete_service = delete_unused_service
    cloud_map.delete_namespace = delete_unused_namespace


def allow_several_namespaces(backends: Backends) -> None:
    """Cloud Map: a VPC may have several private namespaces, if only their names differ."""
    cloud_map = backends.servicediscovery
    create = cloud_map.create_private_dns_namespace

    def create_private_dns_namespace(**wanted: Any) -> Any:
        others = [
            each
            for each in cloud_map.namespaces.values()
            if each.vpc == wanted["vpc"] and each.name != wanted["name"]
        ]
        for each in others:
            each.vpc = None
        try:
            return create(**wanted)
        finally:
            for each in others:
                each.vpc = wanted["vpc"]

    cloud_map.create_private_dns_namespace = create_private_dns_namespace


def tell_which_balancers_lead_to_a_group(backends: Backends) -> None:
    """A target group's LoadBalancerArns are those whose rules forward to it, as they are now."""
    elbv2 = backends.elbv2
    describe = elbv2.describe_target_groups

    def describe_target_groups(*arguments: Any, **parameters: Any) -> Any:
        leading: dict[str, list[str]] = {arn: [] for arn in elbv2.target_groups}
        for balancer in elbv2.load_balancers.values():
            for arn in _forwarded_to(elbv2, balancer):
                leading.setdefault(arn, []).append(balancer.arn)
        for arn, group in elbv2.target_groups.items():
            group.load_balancer_arns = leading[arn]
        return describe(*arguments, **parameters)

    elbv2.describe_target_groups = describe_target_groups


def _forwarded_to(elbv2: Any, balancer: Any) -> set[str]:
    listeners = balancer.listeners.values()
    actions = [action for each in listeners for action in each.default_actions]
    actions += [a for each in listeners for rule in each.rules.values() for a in rule.actions]
    forward = [action.data for action in actions if action.type == "forward"]
    return {arn for data in forward for arn in elbv2._get_target_group_arns_from(action_data=data)}


def compare_rules_without_descriptions() -> None:
    """A security-group rule is what it lets through: its description does not tell it apart."""
    from moto.ec2.models.security_groups import SecurityGroupRule

    def what(rule: Any) -> tuple[Any, ...]:
        every = rule.ip_protocol == "-1"
        ports = () if every else (str(rule.from_port), str(rule.to_port))
        peers = (
            (rule.ip_range or {}).get("CidrIp"),
            (rule.ip_range or {}).get("CidrIpv6"),
            (rule.source_group or {}).get("GroupId"),
            (rule.prefix_list_id or {}).get("PrefixListId"),
        )
        return rule.ip_protocol, *ports, *peers

    SecurityGroupRule.__eq__ = lambda one, other: what(one) == what(other)  # type: ignore[method-assign]


def filter_discovery_services(backends: Backends, hooks: Hooks) -> None:
    """Cloud Map: ListServices with a filter lists the services of those namespaces only."""

    def correction(call: Call, answer: Answer) -> Answer:
        filters = call.parameters.get("Filters", [])
        wanted = [set(each["Values"]) for each in filters if each["Name"] == "NAMESPACE_ID"]
        document = json.loads(answer.body)
        with backends.lock:
            namespace = {s.id: s.namespace_id for s in backends.servicediscovery.services.values()}
        document["Services"] = [
            each
            for each in document["Services"]
            if all(namespace.get(each["Id"]) in ids for ids in wanted)
        ]
        return Answer(answer.status, json.dumps(document).encode(), answer.headers)

    hooks.correct("servicediscovery", "ListServices", correction)


def date_task_definitions(backends: Backends, hooks: Hooks) -> None:
    """Task definitions: when, and by whom, each revision was registered."""

    def correction(call: Call, answer: Answer) -> Answer:
        document = json.loads(answer.body)
        arn = document["taskDefinition"]["taskDefinitionArn"]
        caller = f"arn:aws:sts::{backends.account}:user/{call.access_key}"
        dates = {"registeredAt": time.time(), "registeredBy": caller}
        with backends.lock:
            made = backends.ecs.describe_task_definition(arn)
            made.registered_at, made.registered_by = dates["registeredAt"], caller
        document["taskDefinition"].update(dates)
        return Answer(answer.status, json.dumps(document).encode(), answer.headers)

    hooks.correct("ecs", "RegisterTaskDefinition", correction)


def _refused(code: str, message: str) -> Exception:
    from moto.core.exceptions import JsonRESTError

    return JsonRESTError(code, message)


def _is_ipv4(text: str) -> bool:
    try:
        ipaddress.IPv4Address(text)
    except ValueError:
        return False
    return True
