"""Faults of what the tasks are told by plain variables: addresses, users, names, limits."""

from __future__ import annotations

from collections.abc import Callable

from lab import names
from lab.faults.fault import Change, declare
from lab.platform import Platform, set_variable

Value = str | None | Callable[[Platform], str]


def _set(service: str, variable: str, value: Value) -> Change:
    def change(platform: Platform) -> None:
        given = value(platform) if callable(value) else value
        platform.revise(service, lambda container: set_variable(container, variable, given))

    return change


def _wrong(name: str, summary: str, service: str, variable: str, value: Value) -> None:
    short = next(key for key, each in names.SERVICES.items() if each == service)
    declare(
        name,
        summary,
        changes=f"{short} {variable}",
        deploys=(short,),
        apply=_set(service, variable, value),
        heal=lambda platform: platform.restore(service),
    )


def _address_of_no_task(scheme: str, port: int) -> Callable[[Platform], str]:
    """An address in the private subnets that no task has (tasks count up from the bottom)."""
    return lambda platform: f"{scheme}://127.{platform.network.number}.31.250:{port}"


def _hosts(*more: str) -> Callable[[Platform], str]:
    """Host headers that MLflow allows: those of health checks, which have the task's address."""
    return lambda platform: ",".join((f"127.{platform.network.number}.*:5000", *more))


def _other_instance(platform: Platform) -> str:
    address: str = platform.database()["Endpoint"]["Address"]
    return address.replace(names.DATABASE_INSTANCE, "hokusai-registry-retired")


_wrong(
    "api-without-database-user",
    "The API's task definition does not set DB_USER, so its build takes its own default",
    names.API,
    "DB_USER",
    None,
)
_wrong(
    "api-with-another-database-user",
    "The API is given a database user that does not exist",
    names.API,
    "DB_USER",
    "hokusai_app",
)
_wrong(
    "api-with-another-database-host",
    "The API is given the address of a database instance that was retired",
    names.API,
    "DB_HOST",
    _other_instance,
)
_wrong(
    "api-with-another-database-port",
    "The API is given a port on which the database does not listen",
    names.API,
    "DB_PORT",
    "5433",
)
_wrong(
    "api-with-another-database-name",
    "The API is given the name of a database that does not exist",
    names.API,
    "DB_NAME",
    "registry",
)
_wrong(
    "api-with-an-mlflow-name-of-another-namespace",
    "The API is given a name of MLflow in a namespace that does not exist",
    names.API,
    "MLFLOW_SERVER_URL",
    f"http://mlflow.{names.NAMESPACE_OF_THE_INFRASTRUCTURE_CODE}:5000",
)
_wrong(
    "api-with-a-fixed-mlflow-address",
    "The API is given the address of an MLflow task that is gone",
    names.API,
    "MLFLOW_SERVER_URL",
    _address_of_no_task("http", 5000),
)
_wrong(
    "api-with-its-own-address-for-mlflow",
    "The API is given its own public address for MLflow: a loop",
    names.API,
    "MLFLOW_SERVER_URL",
    "https://registry.hokus.ai/api/mlflow",
)
_wrong(
    "api-with-another-mlflow-port",
    "The API is given a port on which MLflow does not listen",
    names.API,
    "MLFLOW_SERVER_URL",
    f"http://mlflow.{names.NAMESPACE}:5001",
)
_wrong(
    "api-with-another-tracking-address",
    "The API's health code is given another MLflow than its proxy",
    names.API,
    "MLFLOW_TRACKING_URI",
    f"http://mlflow.{names.NAMESPACE}:5001",
)
_wrong(
    "api-without-the-auth-service",
    "The API's task definition does not set AUTH_SERVICE_URL",
    names.API,
    "AUTH_SERVICE_URL",
    None,
)
_wrong(
    "api-with-a-fixed-auth-address",
    "The API is given the address of an auth task that is gone",
    names.API,
    "AUTH_SERVICE_URL",
    _address_of_no_task("http", 8000),
)
_wrong(
    "api-with-an-unknown-auth-name",
    "The API is given a name of the auth service that does not exist",
    names.API,
    "AUTH_SERVICE_URL",
    f"http://auth.{names.NAMESPACE}:8000",
)
_wrong(
    "api-with-another-service-id",
    "The API validates keys for a service id that they were not issued for",
    names.API,
    "SERVICE_ID",
    "registry",
)
_wrong(
    "mlflow-without-database-user",
    "MLflow's task definition does not set DB_USER, so its store logs in as another user",
    names.MLFLOW,
    "DB_USER",
    None,
)
_wrong(
    "mlflow-with-another-database-host",
    "MLflow is given the address of a database instance that was retired",
    names.MLFLOW,
    "DB_HOST",
    _other_instance,
)
_wrong(
    "mlflow-refuses-its-internal-name",
    "MLflow allows the Host headers of health checks only, not the one that the API sends",
    names.MLFLOW,
    "MLFLOW_SERVER_ALLOWED_HOSTS",
    _hosts(),
)
_wrong(
    "mlflow-host-name-without-its-port",
    "MLflow allows the Host header that the API sends only without its port",
    names.MLFLOW,
    "MLFLOW_SERVER_ALLOWED_HOSTS",
    _hosts(f"mlflow.{names.NAMESPACE}"),
)
_wrong(
    "auth-for-other-service-ids",
    "The auth service knows the keys for other service ids than the API's",
    names.AUTH,
    "SERVICE_IDS",
    "console",
)
_wrong(
    "auth-throttles",
    "The auth service admits no validation any more: the hourly limit is used up",
    names.AUTH,
    "RATE_LIMIT_PER_HOUR",
    "0",
)
