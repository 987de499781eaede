"""From the database to the login: the instance, the variables, the secret, the role."""

from __future__ import annotations

import pytest

from harness.aws import view
from harness.environment import Environment
from harness.expect import CannotJudge
from harness.finding import ELSEWHERE, Finding, aws, require
from harness.observation import AwsObservation, FailureKind, PostgresObservation, TcpObservation
from harness.plugin.declare import cause, probe
from harness.specs import PostgresProbe, TcpProbe
from tests.acceptance.causes import revising

PASSWORDS = ("DB_PASSWORD", "DATABASE_PASSWORD")


@probe
def login_as_own_user(environment: Environment) -> PostgresProbe:
    """A login from the API's task as the user that the database was set up for."""
    database = environment.database
    return PostgresProbe(
        vantage="task:api",
        host="${DB_HOST:-${DATABASE_HOST}}",
        port=f"${{DB_PORT:-${{DATABASE_PORT:-{database.port}}}}}",
        user=database.user,
        password="${DB_PASSWORD:-${DATABASE_PASSWORD}}",  # noqa: S106 - a variable's name
        database=database.name,
        sslmode=database.sslmode,
        deadline=environment.limits.deadline,
    )


@probe
def database_port(environment: Environment) -> TcpProbe:
    """The database's port, as the API's task is told it."""
    return TcpProbe(
        vantage="task:api",
        host="${DB_HOST:-${DATABASE_HOST}}",
        port=f"${{DB_PORT:-${{DATABASE_PORT:-{environment.database.port}}}}}",
        deadline=environment.limits.deadline,
    )


@pytest.mark.p0
@cause
def test_the_database_instance_is_available(
    environment: Environment, database: AwsObservation
) -> None:
    """The RDS instance exists and runs."""
    name = environment.need("database.instance")
    view.require_answer(database)
    found = database.response.get("DBInstances", [])
    status = found[0]["DBInstanceStatus"] if found else "no such instance"
    require(
        status == "available",
        Finding(
            what="the database instance does not run",
            resource=f"RDS instance {name}",
            expected="available",
            observed=status,
            mend=(aws("rds", "start-db-instance", db_instance_identifier=name),),
        ),
    )


@pytest.mark.p0
@cause
def test_the_api_is_given_the_databases_address(
    environment: Environment, database: AwsObservation, api_variables: dict[str, str]
) -> None:
    """DB_HOST and DB_PORT are those of the RDS instance."""
    if not database.response.get("DBInstances"):
        raise CannotJudge("the database instance does not exist")
    endpoint = database.response["DBInstances"][0]["Endpoint"]
    expected = f"{endpoint['Address']}:{endpoint['Port']}"
    observed = f"{_given(api_variables, 'HOST')}:{_given(api_variables, 'PORT') or '5432'}"
    wrong = "HOST" if _given(api_variables, "HOST") != endpoint["Address"] else "PORT"
    right = endpoint["Address"] if wrong == "HOST" else str(endpoint["Port"])
    require(
        observed == expected,
        Finding(
            what="the API is given another database address than the instance has",
            resource=_definition(environment),
            expected=expected,
            observed=observed,
            mend=revising.with_variable(environment, "api", f"DB_{wrong}", right),
        ),
    )


@pytest.mark.p0
@cause
def test_the_api_is_given_its_database_user(
    environment: Environment, api_variables: dict[str, str]
) -> None:
    """The user is configured under a name that the build reads; else it takes its own default."""
    wanted, observed = environment.database.user, _given(api_variables, "USER")
    otherwise = f"not set, so the build's default applies: {environment.database.fallback_user}"
    require(
        observed == wanted,
        Finding(
            what="the API is not given its database user",
            resource=_definition(environment),
            expected=f"DB_USER={wanted}",
            observed=f"DB_USER={observed}" if observed else f"DB_USER {otherwise}",
            mend=revising.with_variable(environment, "api", "DB_USER", wanted),
        ),
    )


@pytest.mark.p0
@cause
def test_the_api_is_given_its_database_name(
    environment: Environment, api_variables: dict[str, str]
) -> None:
    """The database's name is the one that exists."""
    wanted = environment.database.name
    observed = _given(api_variables, "NAME") or wanted
    require(
        observed == wanted,
        Finding(
            what="the API is given the name of another database",
            resource=_definition(environment),
            expected=f"DB_NAME={wanted}",
            observed=f"DB_NAME={observed}",
            mend=revising.with_variable(environment, "api", "DB_NAME", wanted),
        ),
    )


@pytest.mark.p0
@cause
def test_the_secret_exists(environment: Environment, secret: AwsObservation) -> None:
    """The application's secret is there and not scheduled for deletion."""
    name = view.names(environment).secret
    view.require_answer(secret)
    deleted = "DeletedDate" in secret.response
    require(
        secret.failure is None and not deleted,
        Finding(
            what="the secret with the database's password is gone",
            resource=f"Secrets Manager secret {name}",
            expected="a secret that is not deleted",
            observed="scheduled for deletion" if deleted else str(secret.failure),
            mend=(aws("secretsmanager", "restore-secret", secret_id=name),),
        ),
    )


@pytest.mark.p0
@cause
def test_the_api_is_given_the_password_from_the_secret(
    environment: Environment, api_container: view.Json, secret: AwsObservation
) -> None:
    """DB_PASSWORD is wired from the secret's right key."""
    names, wired = view.names(environment), view.secrets(api_container)
    arn = secret.response.get("ARN", f"<the ARN of {names.secret}>")
    source = next((wired[name] for name in PASSWORDS if name in wired), "")
    expected = f"{arn}:{names.secret_key}::"
    require(
        source.startswith((arn, names.secret)) and f":{names.secret_key}:" in source,
        Finding(
            what="the API is not given the database's password from Secrets Manager",
            resource=_definition(environment),
            expected=f"secret DB_PASSWORD with valueFrom {expected}",
            observed=f"valueFrom {source}" if source else "no secret DB_PASSWORD",
            mend=revising.with_secret(environment, "api", "DB_PASSWORD", expected),
        ),
    )


@pytest.mark.p0
@cause
def test_the_tasks_were_started_after_the_secrets_last_change(
    environment: Environment,
    services: AwsObservation,
    task_definitions: AwsObservation,
    tasks: AwsObservation,
    secret: AwsObservation,
) -> None:
    """The running tasks have the secret's current value: a task is given it when it starts."""
    if secret.failure is not None:
        raise CannotJudge(str(secret.failure))
    changed, names = float(secret.response.get("LastChangedDate") or 0), view.names(environment)
    started = {
        name: float(running[0].get("startedAt") or 0)
        for name, each in names.services.items()
        if _is_given(secret, services, task_definitions, each.service, each.container)
        and (running := view.running_tasks(tasks, each.service))
    }
    stale = [name for name in started if started[name] < changed]
    require(
        not stale,
        Finding(
            what="the secret was changed after the tasks were started with its old value",
            resource=", ".join(f"ECS service {names.services[name].service}" for name in stale),
            expected="tasks started after the secret's last change",
            observed="; ".join(
                f"the secret changed {changed - started[name]:.0f} s after the {name} task started"
                for name in stale
            ),
            mend=tuple(revising.deployed(environment, name) for name in stale),
        ),
    )


def _is_given(
    secret: AwsObservation,
    services: AwsObservation,
    definitions: AwsObservation,
    service: str,
    container: str,
) -> bool:
    deployed = view.service(services, service).get("taskDefinition")
    wired = view.secrets(view.container(view.definition(definitions, deployed), container))
    return any(source.startswith(secret.response.get("ARN", "?")) for source in wired.values())


@pytest.mark.p0
@cause
def test_the_database_is_reachable_from_the_api(database_port: TcpObservation) -> None:
    """The API's task gets a TCP connection to the database."""
    failure = database_port.failure
    require(
        failure is None,
        Finding(
            what="the API's task gets no connection to the database",
            resource=f"{database_port.host}:{database_port.port}",
            expected="a TCP connection",
            observed=str(failure),
            mend=(aws("rds", "describe-db-instances", output="table"),),
        ),
    )


@pytest.mark.p0
@cause
def test_the_database_accepts_the_password(
    environment: Environment, login_as_own_user: PostgresObservation
) -> None:
    """The password that the task really has opens the database for its own user."""
    failure = login_as_own_user.failure
    if failure is not None and failure.kind not in (
        FailureKind.AUTH_FAILED,
        FailureKind.DATABASE_ERROR,
    ):
        raise CannotJudge(str(failure))
    name = environment.need("database.instance")
    password = '"$(aws secretsmanager get-secret-value --secret-id ' + (
        f"{view.names(environment).secret} --query SecretString --output text"
        f' | jq -r .{view.names(environment).secret_key})"'
    )
    require(
        failure is None,
        Finding(
            what="the database does not accept the password that the API's task has",
            resource=f"RDS instance {name}, user {environment.database.user}",
            expected="a session",
            observed=login_as_own_user.message,
            mend=(
                f"aws rds modify-db-instance --db-instance-identifier {name} --apply-immediately "
                f"--master-user-password {password} {ELSEWHERE}",
            ),
        ),
    )


@pytest.mark.p1
@cause
def test_the_database_user_may_use_the_database(
    environment: Environment, login_as_own_user: PostgresObservation
) -> None:
    """The user may create in the database, use its schema and read its tables."""
    if login_as_own_user.failure is not None:
        raise CannotJudge(str(login_as_own_user.failure))
    facts = login_as_own_user.facts
    wanted = ("may_create", "may_use_schema", "may_read_tables")
    lacking = [name for name in wanted if facts.get(name) != "True"]
    user, name = environment.database.user, environment.database.name
    grants = (
        f"GRANT ALL ON DATABASE {name} TO {user}; GRANT ALL ON SCHEMA public TO {user}; "
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {user}"
    )
    require(
        not lacking,
        Finding(
            what=f"the database user {user} lacks permissions",
            resource=f"database {name}",
            expected=", ".join(wanted),
            observed="lacking: " + ", ".join(lacking),
            mend=(
                f'psql "host={login_as_own_user.host} user=postgres dbname={name}" -c "{grants}"'
                "   # as the owner of the database, from inside the network",
            ),
        ),
    )


def _given(variables: dict[str, str], name: str) -> str:
    return variables.get(f"DB_{name}") or variables.get(f"DATABASE_{name}") or ""


def _definition(environment: Environment) -> str:
    return f"task definition of {view.names(environment).services['api'].service}"
