"""Faults of the registry's certificate: another one is imported, and its listener presents it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

from lab import names
from lab.faults.fault import declare
from lab.pki import Identity, self_signed
from lab.platform import Platform
from lab.provision.edge import import_certificate

_DAYS_LEFT = 5
_SOON = dt.timedelta(seconds=1)


def _present(platform: Platform, certificate: str) -> None:
    listener = platform.listener(names.REGISTRY_BALANCER, 443)["ListenerArn"]
    platform.aws.elbv2.modify_listener(
        ListenerArn=listener, Certificates=[{"CertificateArn": certificate}]
    )


def _good(platform: Platform) -> str:
    """The certificate that the other load balancers present."""
    arn: str = platform.listener(names.AUTH_BALANCER, 443)["Certificates"][0]["CertificateArn"]
    return arn


def _bad(name: str, summary: str, make: Callable[[Platform], Identity]) -> None:
    declare(
        name,
        summary,
        changes="registry certificate",
        apply=lambda platform: _present(platform, import_certificate(platform, make(platform))),
        heal=lambda platform: _present(platform, _good(platform)),
    )


def _expire(platform: Platform) -> None:
    """ACM takes no certificate that has expired already: this one expires after its import."""
    _present(platform, import_certificate(platform, platform.beyond.authority.expiring(_SOON)))
    time.sleep(_SOON.total_seconds())


declare(
    "certificate-expired",
    "The registry's certificate has expired",
    changes="registry certificate",
    apply=_expire,
    heal=lambda platform: _present(platform, _good(platform)),
)
_bad(
    "certificate-about-to-expire",
    f"The registry's certificate expires in {_DAYS_LEFT} days",
    lambda platform: platform.beyond.authority.expiring(dt.timedelta(days=_DAYS_LEFT)),
)
_bad(
    "certificate-of-another-name",
    "The registry's certificate covers none of its names",
    lambda platform: platform.beyond.authority.wrong_name(),
)
_bad(
    "certificate-without-its-intermediate",
    "The registry's certificate was imported without the intermediate that issued it",
    lambda platform: platform.beyond.authority.without_intermediate(),
)
_bad(
    "certificate-self-signed",
    "The registry's certificate is vouched for by nobody but itself",
    lambda _platform: self_signed(),
)
