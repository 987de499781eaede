"""What keeps data: secrets, the database instance, the artifact bucket, the log groups."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from lab import names
from lab.platform import Platform

PARAMETER_GROUP = f"hokusai-postgres-{names.STAGE}"
SUBNET_GROUP = f"hokusai-database-{names.STAGE}"
_ENGINE_VERSION = "17.5"


@dataclass(frozen=True, slots=True)
class Secrets:
    """Generated for one lab: what the platform keeps in Secrets Manager."""

    database_password: str = field(repr=False)
    secret_key: str = field(repr=False)
    api_key_hashes: str = field(repr=False)


def create_data(platform: Platform, secrets: Secrets) -> None:
    """Create secrets, log groups, the bucket and the database instance."""
    _create_secrets(platform, secrets)
    for service in names.SERVICES.values():
        platform.aws.logs.create_log_group(logGroupName=f"/ecs/{service}")
        platform.aws.logs.put_retention_policy(logGroupName=f"/ecs/{service}", retentionInDays=30)
    for bucket in (names.ARTIFACT_BUCKET, names.ACCESS_LOG_BUCKET):
        platform.aws.s3.create_bucket(Bucket=bucket)
    _create_database(platform, secrets.database_password)


def _create_secrets(platform: Platform, secrets: Secrets) -> None:
    app = {"database_password": secrets.database_password, "secret_key": secrets.secret_key}
    auth = {"api_key_hashes": secrets.api_key_hashes}
    for name, document in ((names.APP_SECRETS, app), (names.AUTH_SECRETS, auth)):
        platform.aws.secretsmanager.create_secret(Name=name, SecretString=json.dumps(document))


def _create_database(platform: Platform, password: str) -> None:
    rds = platform.aws.rds
    rds.create_db_subnet_group(
        DBSubnetGroupName=SUBNET_GROUP,
        DBSubnetGroupDescription="Database subnets",
        SubnetIds=platform.subnets("database"),
    )
    rds.create_db_parameter_group(
        DBParameterGroupName=PARAMETER_GROUP,
        DBParameterGroupFamily=f"postgres{_ENGINE_VERSION.split('.', maxsplit=1)[0]}",
        Description="PostgreSQL for MLflow",
    )
    rds.create_db_instance(
        DBInstanceIdentifier=names.DATABASE_INSTANCE,
        DBName=names.DATABASE,
        Engine="postgres",
        EngineVersion=_ENGINE_VERSION,
        DBInstanceClass="db.t3.micro",
        AllocatedStorage=20,
        MasterUsername=names.DATABASE_USER,
        MasterUserPassword=password,
        Port=5432,
        PubliclyAccessible=False,
        VpcSecurityGroupIds=[platform.group(names.DATABASE_GROUP)],
        DBSubnetGroupName=SUBNET_GROUP,
        DBParameterGroupName=PARAMETER_GROUP,
    )
