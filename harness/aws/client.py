"""Read operations on AWS: one session, shared clients, every error named.

Errors that are the suite's own lack (credentials, permission, network) say what would mend them;
all others say something about the platform.
"""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable
from typing import Any

from harness.audit import Audit
from harness.aws import credentials, operations
from harness.aws.bounded import BoundedSession
from harness.observation import FailureKind
from harness.probes.stage import StageError

DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError")
EXPIRED = ("ExpiredToken", "ExpiredTokenException")
SKEWED = ("RequestTimeTooSkewed", "RequestExpired", "RequestInTheFuture")
# How AWS words it where it has no code of its own for that.
SIGNED_AT_ANOTHER_TIME = re.compile(r"[Ss]ignature (?:expired|not yet current)")
THROTTLED = (
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "RequestThrottled",
    "SlowDown",
)
# botocore's code for an answer that has none.
SERVER_ERROR = re.compile(r"5\d\d")
BROKEN = ("InternalError", "InternalFailure", "InternalServerError", "ServerException",
          "ServiceUnavailable", "ServiceUnavailableException")  # fmt: skip
INVALID = ("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch")
MAKE_ATTEMPTS = 20


class Clients:
    """boto3 clients of one region, each made once. Safe to use from several threads."""

    def __init__(self, region: str, timeout: float, audit: Audit | None = None) -> None:
        """``timeout`` in seconds, for each connection and each answer; ``audit`` hears of calls."""
        self._region, self._timeout, self._audit = region, timeout, audit
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._session: Any = None

    def read(self, service: str, operation: str, /, **parameters: Any) -> dict[str, Any]:
        """Return the response of a read operation, all pages merged, as plain JSON values.

        Raises StageError: NOT_PERMITTED names the IAM action, AWS_ERROR carries AWS's own words.
        """
        _require_allowed(service, operation, self._audit)
        return _translating(
            service, operation, lambda: _pages(self.client(service), operation, parameters)
        )

    def read_body(self, service: str, operation: str, most: int, /, **parameters: Any) -> bytes:
        """Return the body of a read operation that streams it, at most so many bytes of it.

        Raises StageError.
        """
        _require_allowed(service, operation, self._audit)

        def ask() -> dict[str, Any]:
            call = getattr(self.client(service), operation)
            with contextlib.closing(call(**parameters)["Body"]) as body:
                return {"Body": body.read(most)}

        return bytes(_translating(service, operation, ask)["Body"])

    def entering(self) -> Any:
        """Return ECS's client, for ExecuteCommand: it starts the probe, which only reads."""
        return self.client("ecs")

    def client(self, service: str) -> Any:
        """Return boto3's client of a service."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = _steadily(lambda: self._make(service))
            return self._clients[service]

    def _make(self, service: str) -> Any:
        from botocore.config import Config

        if self._session is None:
            self._session = credentials.session(self._region, guard(self._audit))
        config = Config(
            connect_timeout=self._timeout,
            read_timeout=self._timeout,
            retries={"mode": "standard", "total_max_attempts": 2},
            max_pool_connections=16,
            user_agent_extra="hokusai-acceptance",
        )
        client = self._session.client(service, config=config)
        client._endpoint.http_session = BoundedSession(client._endpoint.http_session)
        return client


def guard(audit: Audit | None) -> Callable[..., None]:
    """Return a handler of botocore's events: only an allowed operation goes on to be signed."""

    def admit(model: Any, **_event: Any) -> None:
        service, name = str(model.service_model.service_name), str(model.name)
        may = operations.may(service, name)
        if audit is not None:
            rule = "on the list of operations" if may else "not on the list of operations"
            audit("aws", f"{service}:{name}", rule, vantage="runner", performed=may)
        if not may:
            raise _refused(service, name)

    return admit


def _require_allowed(service: str, operation: str, audit: Audit | None) -> None:
    if not operations.may_read(service, operation):
        if audit is not None:
            what, rule = f"{service}:{operation}", "not on the list of operations"
            audit("aws", what, rule, vantage="runner", performed=False)
        raise _refused(service, operation)


def _refused(service: str, operation: str) -> StageError:
    message = f"{service}:{operation} is not on the list of read operations"
    return StageError(FailureKind.NOT_PERMITTED, message)


def _steadily(make: Callable[[], Any]) -> Any:
    # botocore goes through os.environ for proxies, while pytest enters and removes its
    # PYTEST_CURRENT_TEST in another thread: a name that is gone when its turn comes is a KeyError.
    for _ in range(MAKE_ATTEMPTS - 1):
        with contextlib.suppress(KeyError):
            return make()
    return make()


def iam_action(service: str, operation: str) -> str:
    """Return the IAM action that permits an operation, as policies name it."""
    found = operations.find(service, operation)
    return found.permission if found else f"{service}:{operation}"


def _pages(client: Any, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
    if client.can_paginate(operation):
        merged = client.get_paginator(operation).paginate(**parameters).build_full_result()
    else:
        merged = getattr(client, operation)(**parameters)
    merged.pop("ResponseMetadata", None)
    if not merged:
        # botocore makes this of a body that it cannot read; AWS always names what it lists.
        raise ValueError("an empty answer")
    plain: dict[str, Any] = _plain(merged)
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    if hasattr(value, "timestamp"):
        return round(value.timestamp(), 3)
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _translating(
    service: str, operation: str, call: Callable[[], dict[str, Any]]
) -> dict[str, Any]:
    from botocore import exceptions as aws

    action = iam_action(service, operation)
    try:
        return call()
    except aws.ClientError as error:
        raise _client_error(action, dict(error.response.get("Error", {}))) from None
    except (aws.NoCredentialsError, aws.PartialCredentialsError) as error:
        message = f"{action}: {error}"
        raise StageError(FailureKind.MISSING_CREDENTIAL, message, credentials.REMEDY) from None
    except (aws.ProfileNotFound, aws.TokenRetrievalError, aws.SSOError) as error:
        message = f"{action}: {error}"
        raise StageError(FailureKind.MISSING_CREDENTIAL, message, credentials.REMEDY) from None
    except (aws.HTTPClientError, aws.ConnectionError) as error:
        message = f"{action}: the AWS endpoint cannot be reached ({type(error).__name__})"
        remedy = "check the network, the proxy and the region"
        raise StageError(FailureKind.RUNNER_OFFLINE, message, remedy) from None
    except aws.BotoCoreError as error:
        message = f"{action}: {type(error).__name__}: {error}"
        raise StageError(FailureKind.INTERNAL_ERROR, message) from None
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # What botocore trips over, where an answer is well formed and makes no sense.
        message = f"{action}: what came back is no answer of AWS ({type(error).__name__})"
        remedy = "check the proxy and AWS_ENDPOINT_URL: something else answers for AWS"
        raise StageError(FailureKind.RUNNER_OFFLINE, message, remedy) from None


def _client_error(action: str, error: dict[str, Any]) -> StageError:
    code, text = error.get("Code", "?"), error.get("Message", "")
    said = f"{action}: {code}: {text}"
    if code in DENIED:
        remedy = (
            f"allow {action} to this identity (environments/iam-policy.json has all that is needed)"
        )
        return StageError(FailureKind.NOT_PERMITTED, said, remedy)
    if code in SKEWED or SIGNED_AT_ANOTHER_TIME.search(text):
        remedy = "set this machine's clock (timedatectl set-ntp true): AWS goes by it"
        return StageError(FailureKind.MISSING_CREDENTIAL, said, remedy)
    if code in THROTTLED:
        remedy = "run it again in a minute: this account asks AWS too much"
        return StageError(FailureKind.BUDGET_EXHAUSTED, said, remedy)
    if code in BROKEN or SERVER_ERROR.fullmatch(code):
        remedy = "run it again in a minute; see AWS's own health page if it goes on"
        return StageError(FailureKind.RUNNER_OFFLINE, said, remedy)
    if code in EXPIRED:
        return StageError(FailureKind.MISSING_CREDENTIAL, said, "sign in again: expired")
    if code in INVALID:
        return StageError(FailureKind.MISSING_CREDENTIAL, said, credentials.REMEDY)
    return StageError(FailureKind.AWS_ERROR, said)
