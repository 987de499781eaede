"""Faults of load balancers: listeners, rules, certificates."""

from __future__ import annotations

from lab import names
from lab.faults.fault import declare
from lab.platform import Platform
from lab.provision.edge import redirect_to_https


def _redirect_to(platform: Platform, host: str) -> None:
    listener = platform.listener(names.REGISTRY_BALANCER, 80)["ListenerArn"]
    platform.aws.elbv2.modify_listener(
        ListenerArn=listener, DefaultActions=[redirect_to_https(host)]
    )


def _redirect_to_own_name(platform: Platform) -> None:
    _redirect_to(platform, platform.balancer(names.REGISTRY_BALANCER)["DNSName"])


declare(
    "redirect-to-the-load-balancers-own-name",
    "HTTP is redirected to the load balancer's own name, which no certificate of ours can cover",
    apply=_redirect_to_own_name,
    heal=lambda platform: _redirect_to(platform, "#{host}"),
)
