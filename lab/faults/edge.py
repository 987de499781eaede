"""Faults of load balancers: listeners, rules, redirects, targets, health checks."""

from __future__ import annotations

from typing import Any

from lab import names
from lab.faults.fault import Change, declare
from lab.platform import Platform
from lab.provision.edge import (
    fixed_response,
    forward,
    listen_for_auth,
    listen_for_registry,
    redirect_to_https,
)

_FIRST = 5
_MISSING_PATH = "/no-such-path"


def _default_action(platform: Platform, port: int, action: Any) -> None:
    listener = platform.listener(names.REGISTRY_BALANCER, port)["ListenerArn"]
    platform.aws.elbv2.modify_listener(ListenerArn=listener, DefaultActions=[action])


def _redirect_to_own_name(platform: Platform) -> None:
    own = platform.balancer(names.REGISTRY_BALANCER)["DNSName"]
    _default_action(platform, 80, redirect_to_https(own))


def _to_api(platform: Platform) -> Any:
    return forward(platform.target_group(names.REGISTRY_API_TARGETS))


def _to_mlflow(platform: Platform) -> Any:
    return forward(platform.target_group(names.REGISTRY_MLFLOW_TARGETS))


def _delete_listener(balancer: str, port: int) -> Change:
    def change(platform: Platform) -> None:
        arn = platform.listener(balancer, port)["ListenerArn"]
        platform.aws.elbv2.delete_listener(ListenerArn=arn)

    return change


def _rule(platform: Platform, priority: int) -> str:
    listener = platform.listener(names.REGISTRY_BALANCER, 443)["ListenerArn"]
    rules = platform.aws.elbv2.describe_rules(ListenerArn=listener)["Rules"]
    return next(each["RuleArn"] for each in rules if each["Priority"] == str(priority))


def _rule_to_mlflow(priority: int) -> Change:
    return lambda platform: platform.aws.elbv2.modify_rule(
        RuleArn=_rule(platform, priority), Actions=[_to_mlflow(platform)]
    )


def _rule_to_api(priority: int) -> Change:
    return lambda platform: platform.aws.elbv2.modify_rule(
        RuleArn=_rule(platform, priority), Actions=[_to_api(platform)]
    )


def _answer_api_paths(platform: Platform) -> None:
    listener = platform.listener(names.REGISTRY_BALANCER, 443)["ListenerArn"]
    platform.aws.elbv2.create_rule(
        ListenerArn=listener,
        Priority=_FIRST,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": ["/api*"]}}],
        Actions=[fixed_response()],
    )


def _health_path(target_group: str, path: str) -> Change:
    return lambda platform: platform.aws.elbv2.modify_target_group(
        TargetGroupArn=platform.target_group(target_group), HealthCheckPath=path
    )


def _targets(platform: Platform, service: str, port: int) -> Any:
    return [{"Id": address, "Port": port} for address in platform.task_addresses(service).values()]


def _deregister(target_group: str, service: str, port: int) -> Change:
    return lambda platform: platform.aws.elbv2.deregister_targets(
        TargetGroupArn=platform.target_group(target_group),
        Targets=_targets(platform, service, port),
    )


def _register(target_group: str, service: str, port: int) -> Change:
    return lambda platform: platform.aws.elbv2.register_targets(
        TargetGroupArn=platform.target_group(target_group),
        Targets=_targets(platform, service, port),
    )


declare(
    "redirect-to-the-load-balancers-own-name",
    "HTTP is redirected to the load balancer's own name, which no certificate of ours can cover",
    changes="registry listener 80",
    apply=_redirect_to_own_name,
    heal=lambda platform: _default_action(platform, 80, redirect_to_https()),
)
declare(
    "http-not-redirected",
    "Plain HTTP is forwarded to the API instead of redirected to HTTPS",
    changes="registry listener 80",
    apply=lambda platform: _default_action(platform, 80, _to_api(platform)),
    heal=lambda platform: _default_action(platform, 80, redirect_to_https()),
)
declare(
    "registry-without-http",
    "The registry's load balancer has no listener on port 80",
    changes="registry listener 80",
    apply=_delete_listener(names.REGISTRY_BALANCER, 80),
    heal=lambda platform: listen_for_registry(platform, 80),
)
declare(
    "registry-without-https",
    "The registry's load balancer has no listener on port 443: its rules are gone with it",
    changes="registry listener 443",
    apply=_delete_listener(names.REGISTRY_BALANCER, 443),
    heal=lambda platform: listen_for_registry(platform, 443),
)
declare(
    "auth-without-https",
    "The auth service's load balancer has no listener on port 443",
    changes="auth listener 443",
    apply=_delete_listener(names.AUTH_BALANCER, 443),
    heal=listen_for_auth,
)
declare(
    "mlflow-rule-goes-past-the-api",
    "A rule sends /mlflow* to MLflow directly, past the API and its authentication",
    changes="registry listener 443",
    apply=_rule_to_mlflow(30),
    heal=_rule_to_api(30),
)
declare(
    "proxy-rule-goes-to-mlflow",
    "The rule for /api/mlflow/* sends requests to MLflow, which has no such path",
    changes="registry listener 443",
    apply=_rule_to_mlflow(10),
    heal=_rule_to_api(10),
)
declare(
    "api-rule-answers-first",
    "A rule with a lower priority number answers /api* with 404",
    changes="registry listener 443",
    apply=_answer_api_paths,
    heal=lambda platform: platform.aws.elbv2.delete_rule(RuleArn=_rule(platform, _FIRST)),
)
declare(
    "default-action-answers-not-found",
    "The default action on port 443 answers 404 instead of forwarding to the API",
    changes="registry listener 443",
    apply=lambda platform: _default_action(platform, 443, fixed_response()),
    heal=lambda platform: _default_action(platform, 443, _to_api(platform)),
)
for _name, _group, _service, _port in (
    ("api", names.REGISTRY_API_TARGETS, names.API, 8001),
    ("auth", names.AUTH_TARGETS, names.AUTH, 8000),
):
    declare(
        f"{_name}-health-check-asks-another-path",
        f"The load balancer's health check of {_name} asks for a path that is not there",
        changes=f"{_name} targets",
        apply=_health_path(_group, _MISSING_PATH),
        heal=_health_path(_group, "/health"),
    )
    declare(
        f"{_name}-target-deregistered",
        f"The running task of the {_name} service was taken out of its target group",
        changes=f"{_name} targets",
        apply=_deregister(_group, _service, _port),
        heal=_register(_group, _service, _port),
    )
