"""The AWS endpoint: hooks before and after moto, and where moto is corrected."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab import names
from lab.aws.answer import Answer, AwsError
from lab.aws.call import Call
from tests.unit.lab.small_platform import SmallPlatform

ASKED: dict[str, Callable[[Any], object]] = {
    "ec2": lambda aws: aws.ec2.describe_vpcs(),
    "query": lambda aws: aws.elbv2.describe_load_balancers(),
    "json": lambda aws: aws.ecs.list_clusters(),
    "rest": lambda aws: aws.s3.list_buckets(),
}


def refuse(_call: Call) -> Answer:
    raise AwsError("AccessDenied", "User is not authorized", 403)


def fail(_call: Call) -> Answer:
    raise ZeroDivisionError("a defect")


@pytest.fixture
def gate(platform: SmallPlatform) -> Iterator[Callable[[Callable[[Call], Answer]], None]]:
    """Put a gate in front of everything; taken away again at the end."""
    removals: list[Callable[[], None]] = []
    yield lambda handler: removals.append(platform.hooks.gate(handler))
    for remove in removals:
        remove()
    platform.aws.ecs.list_clusters()


@pytest.mark.parametrize("protocol", ASKED)
def test_a_gate_refuses_in_the_protocol_of_the_call(
    platform: SmallPlatform, gate: Callable[[Any], None], protocol: str
) -> None:
    gate(refuse)
    with pytest.raises(ClientError) as told:
        ASKED[protocol](platform.aws)
    assert told.value.response["Error"]["Code"] == "AccessDenied"
    assert told.value.response["Error"]["Message"] == "User is not authorized"
    assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403


def test_a_defect_of_a_handler_is_an_answer_that_says_so(
    platform: SmallPlatform, gate: Callable[[Any], None]
) -> None:
    gate(fail)
    with pytest.raises(ClientError, match=r"InternalFailure.*ZeroDivisionError: a defect"):
        platform.aws.ecs.list_clusters()


def test_watchers_see_each_call_with_its_parameters_and_its_answer(
    platform: SmallPlatform,
) -> None:
    seen: list[tuple[Call, Answer]] = []
    platform.hooks.watch(lambda call, answer: seen.append((call, answer)))
    platform.aws.ecs.describe_clusters(clusters=[names.CLUSTER])
    with pytest.raises(ClientError):
        platform.aws.ec2.delete_security_group(GroupId="sg-none")
    (read, answer), (write, refused) = seen
    assert (read.service, read.operation, read.reads) == ("ecs", "DescribeClusters", True)
    assert read.parameters == {"clusters": [names.CLUSTER]}
    assert answer.status == 200
    assert (write.operation, write.reads, refused.status) == ("DeleteSecurityGroup", False, 400)


def test_load_balancers_have_names_as_aws_gives_them(platform: SmallPlatform) -> None:
    assert platform.platform.balancer(names.REGISTRY_BALANCER)["DNSName"].startswith(
        f"{names.REGISTRY_BALANCER}-"
    )
    internal = platform.platform.balancer(names.INTERNAL_BALANCER)
    assert internal["Scheme"] == "internal"
    assert internal["DNSName"].startswith("internal-")


def test_an_instance_registered_again_replaces_the_first(platform: SmallPlatform) -> None:
    cloud_map = platform.aws.servicediscovery
    service = platform.platform.discovery_service(names.NAMESPACE, "api")["Id"]
    for address in ("127.0.0.9", "127.0.0.10"):
        cloud_map.register_instance(
            ServiceId=service,
            InstanceId="twice",
            CreatorRequestId=address,
            Attributes={"AWS_INSTANCE_IPV4": address},
        )
    listed = cloud_map.list_instances(ServiceId=service)["Instances"]
    mine = [each for each in listed if each["Id"] == "twice"]
    cloud_map.deregister_instance(ServiceId=service, InstanceId="twice")
    assert [each["Attributes"]["AWS_INSTANCE_IPV4"] for each in mine] == ["127.0.0.10"]


def test_an_instance_with_a_bad_address_is_refused(platform: SmallPlatform) -> None:
    service = platform.platform.discovery_service(names.NAMESPACE, "api")["Id"]
    with pytest.raises(ClientError, match=r"InvalidInput.*localhost"):
        platform.aws.servicediscovery.register_instance(
            ServiceId=service,
            InstanceId="bad",
            CreatorRequestId="1",
            Attributes={"AWS_INSTANCE_IPV4": "localhost"},
        )


def test_what_is_in_use_is_not_deleted(platform: SmallPlatform) -> None:
    cloud_map = platform.aws.servicediscovery
    service = platform.platform.discovery_service(names.NAMESPACE, "mlflow")["Id"]
    with pytest.raises(cloud_map.exceptions.ResourceInUse):
        cloud_map.delete_service(Id=service)
    with pytest.raises(cloud_map.exceptions.ResourceInUse):
        cloud_map.delete_namespace(Id=platform.platform.namespace(names.NAMESPACE))


def test_a_vpc_may_have_two_private_namespaces_with_services_of_the_same_name(
    platform: SmallPlatform,
) -> None:
    cloud_map = platform.aws.servicediscovery
    cloud_map.create_private_dns_namespace(Name="other.local", Vpc=platform.platform.vpc())
    other = platform.platform.namespace("other.local")
    made = cloud_map.create_service(Name="mlflow", NamespaceId=other)["Service"]["Id"]
    try:
        listed = cloud_map.list_services(
            Filters=[{"Name": "NAMESPACE_ID", "Values": [other], "Condition": "EQ"}]
        )
        assert [each["Id"] for each in listed["Services"]] == [made]
    finally:
        cloud_map.delete_service(Id=made)
        cloud_map.delete_namespace(Id=other)


def test_a_revision_tells_when_and_by_whom_it_was_registered(platform: SmallPlatform) -> None:
    arn = platform.platform.service(names.API)["taskDefinition"]
    found: Any = platform.aws.ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
    assert abs(found["registeredAt"].timestamp() - time.time()) < 600
    assert found["registeredBy"].startswith("arn:aws:sts::")


def test_a_rule_is_revoked_by_what_it_lets_through_not_by_its_description(
    platform: SmallPlatform,
) -> None:
    ec2, group = platform.aws.ec2, platform.platform.group(names.DATABASE_GROUP)
    rule: Any = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
    tasks = platform.platform.group(names.TASK_GROUP)
    rules: Any = [{**rule, "UserIdGroupPairs": [{"GroupId": tasks}]}]
    before: Any = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0][
        "IpPermissions"
    ]
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rules)
    left = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=before)
    assert left == []


def test_a_secret_has_no_value_in_its_description(platform: SmallPlatform) -> None:
    found = platform.aws.secretsmanager.describe_secret(SecretId=names.APP_SECRETS)
    assert "SecretString" not in found
    assert found["ARN"] == platform.platform.secret(names.APP_SECRETS)
