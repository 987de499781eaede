"""The platform as a caller of AWS sees it: its resources by name, and how a service is revised.

Provisioning, scenarios and faults work through this, with boto3 on the lab's endpoint and nothing
else; so it works in the lab's process and outside of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Protocol

from lab import names
from lab.addresses import Network
from lab.aws.clients import Clients

if TYPE_CHECKING:
    from lab.pki import Authority

Container = dict[str, Any]

# What DescribeTaskDefinition returns and RegisterTaskDefinition takes.
_REGISTRABLE = (
    "family",
    "taskRoleArn",
    "executionRoleArn",
    "networkMode",
    "containerDefinitions",
    "volumes",
    "requiresCompatibilities",
    "cpu",
    "memory",
)


class Missing(LookupError):
    """The platform has no resource of this name."""


class BeyondAws(Protocol):
    """What somebody can change on a platform without AWS: certificates, roles in the database."""

    @property
    def authority(self) -> Authority:
        """Who issues the platform's certificates."""

    def sql(self, statement: str) -> None:
        """Run a statement in the platform's database as its superuser."""


class Platform:
    """Looks resources up by name, each time anew; every method raises Missing if there is none."""

    def __init__(self, clients: Clients, network: Network, beyond: BeyondAws | None = None) -> None:
        """Nothing is asked before it is needed. `beyond` is None outside of the lab's process."""
        self.aws = clients
        self.network = network
        self._beyond = beyond
        self._remembered: dict[str, Container] = {}

    @property
    def beyond(self) -> BeyondAws:
        """What no AWS call reaches. Raises Missing outside of the lab's own process."""
        if self._beyond is None:
            raise Missing("only the lab's own process has a certificate authority and a database")
        return self._beyond

    def group(self, name: str) -> str:
        """The id of a security group."""
        found = self.aws.ec2.describe_security_groups(
            Filters=[{"Name": "group-name", "Values": [name]}]
        )["SecurityGroups"]
        return str(_only(found, "security group", name)["GroupId"])

    def vpc(self) -> str:
        """The id of the platform's VPC (the account has a default one too)."""
        found = self.aws.ec2.describe_vpcs(
            Filters=[{"Name": "cidr", "Values": [self.network.cidr]}]
        )["Vpcs"]
        return str(_only(found, "VPC", self.network.cidr)["VpcId"])

    def subnets(self, tier: str) -> list[str]:
        """The ids of the subnets of a tier: `public`, `private` or `database`."""
        found = self.aws.ec2.describe_subnets(Filters=[{"Name": "tag:Tier", "Values": [tier]}])
        return [subnet["SubnetId"] for subnet in found["Subnets"]]

    def balancer(self, name: str) -> dict[str, Any]:
        """A load balancer as DescribeLoadBalancers shows it."""
        everything = self.aws.elbv2.describe_load_balancers()["LoadBalancers"]
        found = [each for each in everything if each["LoadBalancerName"] == name]
        return dict(_only(found, "load balancer", name))

    def listener(self, balancer: str, port: int) -> dict[str, Any]:
        """A load balancer's listener on a port, as DescribeListeners shows it."""
        arn = self.balancer(balancer)["LoadBalancerArn"]
        everything = self.aws.elbv2.describe_listeners(LoadBalancerArn=arn)["Listeners"]
        found = [each for each in everything if each["Port"] == port]
        return dict(_only(found, "listener", f"{balancer}:{port}"))

    def target_group(self, name: str) -> str:
        """The ARN of a target group."""
        everything = self.aws.elbv2.describe_target_groups()["TargetGroups"]
        found = [each for each in everything if each["TargetGroupName"] == name]
        return str(_only(found, "target group", name)["TargetGroupArn"])

    def namespace(self, name: str) -> str:
        """The id of a Cloud Map namespace."""
        everything = self.aws.servicediscovery.list_namespaces()["Namespaces"]
        found = [each for each in everything if each["Name"] == name]
        return str(_only(found, "namespace", name)["Id"])

    def discovery_service(self, namespace: str, name: str) -> dict[str, Any]:
        """A Cloud Map service (`Id`, `Arn`) of a namespace."""
        wanted = self.namespace(namespace)
        everything = self.aws.servicediscovery.list_services(
            Filters=[{"Name": "NAMESPACE_ID", "Values": [wanted], "Condition": "EQ"}]
        )["Services"]
        found = [each for each in everything if each["Name"] == name]
        return dict(_only(found, "Cloud Map service", f"{name}.{namespace}"))

    def secret(self, name: str) -> str:
        """The ARN of a secret."""
        found = self.aws.secretsmanager.list_secrets(Filters=[{"Key": "name", "Values": [name]}])
        exact = [each for each in found["SecretList"] if each["Name"] == name]
        return str(_only(exact, "secret", name)["ARN"])

    def database(self) -> dict[str, Any]:
        """The database instance as DescribeDBInstances shows it."""
        found = self.aws.rds.describe_db_instances()["DBInstances"]
        mine = [each for each in found if each["DBInstanceIdentifier"] == names.DATABASE_INSTANCE]
        return dict(_only(mine, "database instance", names.DATABASE_INSTANCE))

    def service(self, name: str) -> dict[str, Any]:
        """An ECS service as DescribeServices shows it."""
        found = self.aws.ecs.describe_services(cluster=names.CLUSTER, services=[name])["services"]
        return dict(_only(found, "ECS service", name))

    def task_addresses(self, service: str) -> dict[str, str]:
        """The addresses of a service's running tasks, by task id."""
        listed = self.aws.ecs.list_tasks(cluster=names.CLUSTER, serviceName=service)["taskArns"]
        tasks = (
            self.aws.ecs.describe_tasks(cluster=names.CLUSTER, tasks=listed)["tasks"]
            if listed
            else []
        )
        return {
            task["taskArn"].rpartition("/")[2]: detail["value"]
            for task in tasks
            if task["lastStatus"] == "RUNNING"
            for attachment in task["attachments"]
            for detail in attachment["details"]
            if detail["name"] == "privateIPv4Address"
        }

    def revise(self, service: str, edit: Callable[[Container], None]) -> str:
        """Deploy a service with its present task definition as `edit` changes its container.

        Returns the ARN of the new revision.
        """
        arn = self.register(service, edit)
        self.aws.ecs.update_service(cluster=names.CLUSTER, service=service, taskDefinition=arn)
        return arn

    def register(self, service: str, edit: Callable[[Container], None]) -> str:
        """Register a revision as `edit` changes the deployed one, without deploying it."""
        definition = self._deployed(service)
        edit(definition["containerDefinitions"][0])
        wanted = {key: definition[key] for key in _REGISTRABLE if definition.get(key)}
        registered = self.aws.ecs.register_task_definition(**wanted)["taskDefinition"]
        return str(registered["taskDefinitionArn"])

    def redeploy(self, service: str, **options: Any) -> None:
        """Deploy a service anew as it is; `options` are those of UpdateService."""
        self.aws.ecs.update_service(
            cluster=names.CLUSTER, service=service, forceNewDeployment=True, **options
        )

    def remember(self) -> None:
        """Keep the services' containers as they are now, for `restore`."""
        for service in names.SERVICES.values():
            self._remembered[service] = self._deployed(service)["containerDefinitions"][0]

    def restore(self, service: str, *, anew: bool = False) -> None:
        """Deploy a service's container as it was remembered, if another one is deployed.

        `anew` deploys it in any case: for what a task is only given when it starts.
        """
        wanted = self._remembered[service]
        if anew or self._differs(service, wanted):
            definition = self.register(service, lambda container: _become(container, wanted))
            self.redeploy(service, taskDefinition=definition)

    def _differs(self, service: str, wanted: Container) -> bool:
        described = self.service(service)
        known = self.aws.ecs.list_task_definitions(familyPrefix=service)["taskDefinitionArns"]
        newest = max(known, key=lambda arn: int(arn.rpartition(":")[2]))
        return (
            self._deployed(service)["containerDefinitions"][0] != wanted
            or described["taskDefinition"] != newest
            or len(described["deployments"]) > 1
            or described["deployments"][0]["rolloutState"] != "COMPLETED"
            or "rolling back" in described["deployments"][0].get("rolloutStateReason", "")
        )

    def _deployed(self, service: str) -> dict[str, Any]:
        present = self.service(service)["taskDefinition"]
        described = self.aws.ecs.describe_task_definition(taskDefinition=present)
        return dict(described["taskDefinition"])


def set_variable(container: Container, name: str, value: str | None) -> None:
    """Set a variable of a container definition; None removes it."""
    kept = [each for each in container.get("environment", []) if each["name"] != name]
    container["environment"] = kept if value is None else [*kept, {"name": name, "value": value}]


def set_secret(container: Container, name: str, source: str | None) -> None:
    """Wire a secret variable of a container definition; None removes it."""
    kept = [each for each in container.get("secrets", []) if each["name"] != name]
    container["secrets"] = kept if source is None else [*kept, {"name": name, "valueFrom": source}]


def set_image_tag(container: Container, tag: str) -> None:
    """Let a container definition use another tag of its image."""
    repository, _, _ = container["image"].rpartition(":")
    container["image"] = f"{repository}:{tag}"


def _become(container: Container, other: Container) -> None:
    container.clear()
    container.update(other)


def _only(found: Iterable[Any], kind: str, name: str) -> Any:
    for each in found:
        return each
    raise Missing(f"the platform has no {kind} '{name}'")
