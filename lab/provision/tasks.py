"""The three services: task definitions, and how many of them run where."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lab import names
from lab.platform import Platform
from lab.provision.edge import INTERNAL_AUTH_PORT
from lab.provision.identity import EXECUTION_ROLE, TASK_ROLE

Variables = dict[str, str]


@dataclass(frozen=True, slots=True)
class Part:
    """One service of the platform: its container, and what reaches it how."""

    service: str
    image: str
    container: str
    port: int
    health: str
    target_groups: tuple[str, ...]
    discovery: str | None
    environment: Variables = field(default_factory=dict)
    secrets: Variables = field(default_factory=dict)


def create_services(platform: Platform) -> None:
    """Create the cluster, and each service with its first task definition."""
    platform.aws.ecs.create_cluster(
        clusterName=names.CLUSTER, settings=[{"name": "containerInsights", "value": "enabled"}]
    )
    account = platform.aws.sts.get_caller_identity()["Account"]
    for part in parts(platform):
        definition = platform.aws.ecs.register_task_definition(**_definition(part, account))
        arn = definition["taskDefinition"]["taskDefinitionArn"]
        platform.aws.ecs.create_service(**_service(platform, part, arn))


def parts(platform: Platform) -> list[Part]:
    """The three services as a healthy platform has them."""
    app, auth = platform.secret(names.APP_SECRETS), platform.secret(names.AUTH_SECRETS)
    database = _database_variables(platform)
    password = {"DB_PASSWORD": f"{app}:database_password::"}
    internal = platform.balancer(names.INTERNAL_BALANCER)["DNSName"]
    return [
        Part(
            service=names.MLFLOW,
            image="mlflow:3.17",
            container="hokusai-mlflow",
            port=5000,
            health="/health",
            target_groups=(names.REGISTRY_MLFLOW_TARGETS, names.MAIN_MLFLOW_TARGETS),
            discovery="mlflow",
            environment={
                **database,
                "ARTIFACT_ROOT": "artifacts",
                "MLFLOW_SERVER_ALLOWED_HOSTS": _mlflow_hosts(platform),
            },
            secrets=password,
        ),
        Part(
            service=names.AUTH,
            image="auth:corrected",
            container="hokusai-auth",
            port=8000,
            health="/health",
            target_groups=(names.AUTH_TARGETS, names.INTERNAL_AUTH_TARGETS),
            discovery=None,
            environment={"ENVIRONMENT": names.STAGE},
            secrets={"API_KEY_HASHES": f"{auth}:api_key_hashes::"},
        ),
        Part(
            service=names.API,
            image="api:corrected",
            container="hokusai-api",
            port=8001,
            health="/health",
            target_groups=(names.REGISTRY_API_TARGETS, names.MAIN_API_TARGETS),
            discovery="api",
            environment={
                "API_HOST": "0.0.0.0",  # noqa: S104 - in a task: the task's own address
                "API_PORT": "8001",
                "ENVIRONMENT": names.STAGE,
                "MLFLOW_SERVER_URL": f"http://mlflow.{names.NAMESPACE}:5000",
                "AUTH_SERVICE_URL": f"http://{internal}:{INTERNAL_AUTH_PORT}",
                # Short, so that what a mended platform shows can be seen in seconds.
                "MLFLOW_CB_RECOVERY_TIMEOUT": "1",
                # The client library's own default is 7 retries: minutes, when MLflow is away.
                "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
                **database,
            },
            secrets={**password, "SECRET_KEY": f"{app}:secret_key::"},
        ),
    ]


def _mlflow_hosts(platform: Platform) -> str:
    """Every Host header that MLflow is called with: by the API, the edge and health checks."""
    network = platform.network.cidr.split(".0.0/")[0]
    return f"mlflow.{names.NAMESPACE}:5000,registry.hokus.ai,{network}.*:5000"


def _database_variables(platform: Platform) -> Variables:
    return {
        "DB_HOST": platform.database()["Endpoint"]["Address"],
        "DB_PORT": "5432",
        "DB_USER": names.DATABASE_USER,
        "DB_NAME": names.DATABASE,
    }


def _definition(part: Part, account: str) -> dict[str, Any]:
    return {
        "family": part.service,
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "512",
        "memory": "1024",
        "executionRoleArn": f"arn:aws:iam::{account}:role/{EXECUTION_ROLE}",
        "taskRoleArn": f"arn:aws:iam::{account}:role/{TASK_ROLE}",
        "containerDefinitions": [_container(part, account)],
    }


def _container(part: Part, account: str) -> dict[str, Any]:
    registry = f"{account}.dkr.ecr.{names.REGION}.amazonaws.com"
    return {
        "name": part.container,
        "image": f"{registry}/hokusai/{part.image}",
        "essential": True,
        "portMappings": [{"containerPort": part.port, "protocol": "tcp"}],
        "environment": _pairs(part.environment, "value"),
        "secrets": _pairs(part.secrets, "valueFrom"),
        "healthCheck": {
            "command": ["CMD-SHELL", f"curl -f http://localhost:{part.port}{part.health}"],
            "interval": 30,
            "timeout": 5,
            "retries": 3,
            "startPeriod": 60,
        },
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {
                "awslogs-group": f"/ecs/{part.service}",
                "awslogs-region": names.REGION,
                "awslogs-stream-prefix": "ecs",
            },
        },
    }


def _service(platform: Platform, part: Part, definition: str) -> dict[str, Any]:
    return {
        "cluster": names.CLUSTER,
        "serviceName": part.service,
        "taskDefinition": definition,
        "desiredCount": 1,
        "launchType": "FARGATE",
        "platformVersion": "1.4.0",
        "enableExecuteCommand": True,
        "healthCheckGracePeriodSeconds": 60,
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": True, "rollback": True},
            "maximumPercent": 200,
            "minimumHealthyPercent": 100,
        },
        "networkConfiguration": {
            "awsvpcConfiguration": {
                "subnets": platform.subnets("private"),
                "securityGroups": [platform.group(names.TASK_GROUP)],
                "assignPublicIp": "DISABLED",
            }
        },
        "loadBalancers": [
            {
                "targetGroupArn": platform.target_group(group),
                "containerName": part.container,
                "containerPort": part.port,
            }
            for group in part.target_groups
        ],
        "serviceRegistries": registries(platform, part.discovery),
    }


def registries(
    platform: Platform, discovery: str | None, namespace: str = names.NAMESPACE
) -> list[Any]:
    """The `serviceRegistries` that let a service's tasks be found under this name."""
    if discovery is None:
        return []
    return [{"registryArn": platform.discovery_service(namespace, discovery)["Arn"]}]


def _pairs(variables: Variables, key: str) -> list[dict[str, str]]:
    return [{"name": name, key: value} for name, value in variables.items()]
