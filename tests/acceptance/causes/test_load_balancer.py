"""The registry's load balancer: listeners, rules, redirect, certificate, targets."""

from __future__ import annotations

import fnmatch
import shlex
import time
from collections.abc import Callable
from typing import NamedTuple

import pytest

from harness.aws import view
from harness.environment import Environment
from harness.expect import CannotJudge
from harness.finding import Finding, aws, require
from harness.observation import AwsObservation, FailureKind, HttpObservation, TlsObservation
from harness.plugin.declare import cause, probe
from harness.signatures import evidence
from harness.specs import HttpProbe
from tests.acceptance.conftest import SEARCH

HTTP, HTTPS = 80, 443
DAY = 86_400
SAMPLES = ("/health", "/api/health", f"/api/mlflow{SEARCH.partition('?')[0]}")


class Front(NamedTuple):
    """A service's target group, and the load balancer in front of it with its listeners."""

    group: view.Json
    balancer: str
    listeners: dict[int, view.Json]


FrontOf = Callable[[str], Front]


@pytest.fixture
def front_of(
    environment: Environment,
    target_groups: AwsObservation,
    load_balancers: AwsObservation,
    listeners: AwsObservation,
) -> FrontOf:
    """What is in front of a service. Raises CannotJudge if nothing is."""

    def find(name: str) -> Front:
        service = view.names(environment).services[name]
        group = view.target_group(target_groups, service.target_group)
        balancer = view.balancer_of(load_balancers, service, group).get("LoadBalancerArn", "")
        if not group or not balancer:
            raise CannotJudge(f"no load balancer has the target group {service.target_group}")
        found = {each["Port"]: each for each in listeners.response.get(balancer, [])}
        return Front(group, balancer, found)

    return find


@pytest.fixture
def registry(front_of: FrontOf) -> Front:
    """What is in front of the API."""
    return front_of("api")


@probe
def mlflow_without_a_key(environment: Environment) -> HttpProbe:
    """A search of experiments at the registry's MLflow path, without any key."""
    return HttpProbe(
        url=f"{environment.registry.url}/mlflow{SEARCH}", deadline=environment.limits.deadline
    )


@pytest.mark.p0
@pytest.mark.parametrize("port", [HTTP, HTTPS])
@cause
def test_the_registry_listens(port: int, registry: Front) -> None:
    """The registry's load balancer has a listener on the port."""
    require(port in registry.listeners, _no_listener("the registry", port, registry))


@pytest.mark.p1
@cause
def test_the_auth_service_listens(front_of: FrontOf) -> None:
    """The auth service's load balancer has a listener for HTTPS."""
    front = front_of("auth")
    require(HTTPS in front.listeners, _no_listener("the auth service", HTTPS, front))


def _no_listener(whose: str, port: int, front: Front) -> Finding:
    certificate = '"CertificateArn=$(aws acm list-certificates --query '
    certificate += "'CertificateSummaryList[0].CertificateArn' --output text)\""
    action = f"Type=forward,TargetGroupArn={front.group['TargetGroupArn']}"
    redirect = "Type=redirect,RedirectConfig={Protocol=HTTPS,Port=443,StatusCode=HTTP_301}"
    command = (
        f"aws elbv2 create-listener --load-balancer-arn {front.balancer} "
        f"--protocol {'HTTPS' if port == HTTPS else 'HTTP'} --port {port} --default-actions "
        + (f"'{action}' --certificates {certificate}" if port == HTTPS else f"'{redirect}'")
    )
    return Finding(
        what=f"the load balancer of {whose} does not listen on port {port}",
        resource=f"load balancer {front.balancer}",
        expected=f"a listener on {port}",
        observed=f"listeners on {sorted(front.listeners)}",
        mend=(command,),
    )


@pytest.mark.p3
@cause
def test_plain_http_is_redirected_to_the_same_host(registry: Front) -> None:
    """The listener on port 80 redirects to HTTPS and keeps the host name."""
    if HTTP not in registry.listeners:
        raise CannotJudge("there is no listener on port 80")
    listener = registry.listeners[HTTP]
    config = listener["DefaultActions"][0].get("RedirectConfig", {})
    observed = f"{config.get('Protocol')}://{config.get('Host')}:{config.get('Port')}"
    require(
        observed in ("HTTPS://#{host}:443", "HTTPS://None:443"),
        Finding(
            what="plain HTTP is not redirected to HTTPS at the same host",
            resource=f"listener {listener['ListenerArn']}",
            expected="a redirect to https://#{host}:443",
            observed=observed if config else f"action {listener['DefaultActions'][0]['Type']}",
            mend=(
                f"aws elbv2 modify-listener --listener-arn {listener['ListenerArn']} "
                # As JSON: the CLI's shorthand cannot hold the braces of #{host}.
                """--default-actions '[{"Type":"redirect","RedirectConfig":{"Protocol":"HTTPS","""
                """"Port":"443","Host":"#{host}","StatusCode":"HTTP_301"}}]'""",
            ),
        ),
    )


@pytest.mark.p0
@pytest.mark.parametrize("path", SAMPLES)
@cause
def test_the_rules_lead_to_the_api(
    path: str,
    registry: Front,
    rules: AwsObservation,
) -> None:
    """The first rule that matches the path on port 443 forwards to the API's target group."""
    if HTTPS not in registry.listeners:
        raise CannotJudge("there is no listener on port 443")
    listener = registry.listeners[HTTPS]
    tried = rules.response.get(listener["ListenerArn"], [])
    rule: view.Json = next((each for each in tried if _matches(each, path)), {})
    action = rule.get("Actions", [{}])[0]
    group = registry.group["TargetGroupArn"]
    action_wanted = f"Type=forward,TargetGroupArn={group}"
    default = rule.get("IsDefault", False)
    mend = (
        f"aws elbv2 modify-listener --listener-arn {listener['ListenerArn']} "
        f"--default-actions {action_wanted}"
        if default
        else f"aws elbv2 modify-rule --rule-arn {rule.get('RuleArn')} --actions {action_wanted}"
    )
    require(
        _forwards_to(action, group),
        Finding(
            what=f"requests for {path} are not sent to the API",
            resource=f"rule {rule.get('Priority')} of listener {listener['ListenerArn']}",
            expected=f"forward to {group.rpartition(':')[2]}",
            observed=_action(action),
            mend=(mend,),
        ),
    )


@pytest.mark.p1
@cause
def test_mlflow_cannot_be_read_without_a_key(
    registry: Front,
    rules: AwsObservation,
    mlflow_without_a_key: HttpObservation,
) -> None:
    """No rule leads past the API, and so past authentication, to MLflow."""
    tried = rules.response.get(registry.listeners.get(HTTPS, {}).get("ListenerArn", ""), [])
    rule: view.Json = next((each for each in tried if _matches(each, "/mlflow/api")), {})
    group = registry.group["TargetGroupArn"]
    require(
        mlflow_without_a_key.status != 200 or "experiments" not in mlflow_without_a_key.body,
        Finding(
            what="MLflow can be read without any key, past the API",
            resource=f"rule {rule.get('RuleArn', '')}",
            expected="HTTP 401",
            observed=evidence(mlflow_without_a_key),
            mend=(
                f"aws elbv2 modify-rule --rule-arn {rule.get('RuleArn')} "
                f"--actions Type=forward,TargetGroupArn={group}",
            ),
        ),
    )


@pytest.mark.p0
@pytest.mark.parametrize("name", ["api", "auth"])
@cause
def test_the_load_balancer_has_a_healthy_target(
    name: str, front_of: FrontOf, target_health: AwsObservation
) -> None:
    """The load balancer's own health checks find at least one healthy target."""
    group = front_of(name).group
    found = target_health.response.get(group["TargetGroupArn"], [])
    states = [each["TargetHealth"] for each in found]
    told = ", ".join(f"{s['State']} ({s.get('Description', '')})" for s in states)
    require(
        any(state["State"] == "healthy" for state in states),
        Finding(
            what=f"the load balancer has no healthy target for {name}",
            resource=f"target group {group['TargetGroupName']}",
            expected="a healthy target",
            observed=told or "no target registered",
            mend=(
                aws(
                    "elbv2",
                    "describe-target-health",
                    target_group_arn=group["TargetGroupArn"],
                ),
            ),
        ),
    )


@pytest.mark.p1
@pytest.mark.parametrize("name", ["api", "auth"])
@cause
def test_health_checks_ask_what_the_service_answers(
    name: str, environment: Environment, front_of: FrontOf
) -> None:
    """The target group's health check asks for the documented path, codes and port."""
    service = view.names(environment).services[name]
    group = front_of(name).group
    path, codes = service.health
    observed = (group["HealthCheckPath"], group["Matcher"]["HttpCode"], group["HealthCheckPort"])
    require(
        observed in ((path, codes, "traffic-port"), (path, codes, str(service.port))),
        Finding(
            what=f"the load balancer's health check of {name} asks for the wrong thing",
            resource=f"target group {group['TargetGroupName']}",
            expected=f"{path} answered with {codes} on the traffic port",
            observed=" ".join(observed),
            mend=(
                aws(
                    "elbv2",
                    "modify-target-group",
                    target_group_arn=group["TargetGroupArn"],
                    health_check_path=path,
                    health_check_port="traffic-port",
                    matcher=f"HttpCode='{codes}'",
                ),
            ),
        ),
    )


@pytest.mark.p1
@cause
def test_the_listeners_certificate_is_good(
    environment: Environment,
    registry: Front,
    certificates: AwsObservation,
    handshake: TlsObservation,
) -> None:
    """The certificate on port 443 is issued, in date, for the registry's name, and trusted."""
    attached = registry.listeners.get(HTTPS, {}).get("Certificates", [])
    if not attached:
        raise CannotJudge("there is no listener with a certificate on port 443")
    certificate = certificates.response.get(attached[0]["CertificateArn"], {})
    host = view.host_of(environment.registry.url)
    wrong = _wrong_with(certificate, host, environment.tls.min_days_left)
    refused = handshake.failure is not None and handshake.failure.kind == FailureKind.TLS_VERIFY
    wrong += [f"clients refuse it: {handshake.failure}"] if refused and not wrong else []
    require(
        not wrong,
        Finding(
            what="the registry's certificate is not good",
            resource=f"certificate {attached[0]['CertificateArn']}",
            expected=f"issued, in date, for {host}, with its chain",
            observed="; ".join(wrong),
            mend=(
                f"aws elbv2 modify-listener --listener-arn "
                f"{registry.listeners[HTTPS]['ListenerArn']} "
                f"--certificates CertificateArn={_another(attached[0]['CertificateArn'], host)}",
            ),
        ),
    )


def _another(arn: str, host: str) -> str:
    """Return a shell substitution: another issued certificate for the host, the longest valid."""
    wildcard = f"*.{host.partition('.')[2]}"
    steps = (
        "aws acm list-certificates --certificate-statuses ISSUED --output text "
        "--query 'CertificateSummaryList[].[CertificateArn]'",
        "xargs -n1 aws acm describe-certificate --output text --query "
        "'Certificate.[NotAfter, CertificateArn, join(`,`, SubjectAlternativeNames)]' "
        "--certificate-arn",
        f"grep -F -e {shlex.quote(wildcard)} -e {shlex.quote(host)}",
        f"grep -v {arn}",
        "sort",
        "tail -n1",
        "cut -f2",
    )
    return f'"$({" | ".join(steps)})"'


def _wrong_with(certificate: view.Json, host: str, days: int) -> list[str]:
    now = time.time()
    until = float(certificate.get("NotAfter") or now + (days + 1) * DAY)
    names = {*certificate.get("SubjectAlternativeNames", []), certificate.get("DomainName", "")}
    checks = (
        (certificate.get("Status") in ("ISSUED", None), f"status {certificate.get('Status')}"),
        (until > now, "expired"),
        (not 0 < until - now < days * DAY, f"expires in {(until - now) / DAY:.0f} days"),
        (float(certificate.get("NotBefore") or 0) <= now, "not valid yet"),
        (any(_covers(name, host) for name in names), f"for {', '.join(sorted(names))}"),
    )
    return [text for good, text in checks if not good]


def _covers(name: str, host: str) -> bool:
    if name.startswith("*."):
        return host.partition(".")[2] == name[2:]
    return name == host


def _matches(rule: view.Json, path: str) -> bool:
    for condition in rule.get("Conditions", []):
        if condition["Field"] == "path-pattern":
            values = condition.get("PathPatternConfig", {}).get("Values") or condition["Values"]
            if not any(fnmatch.fnmatchcase(path, value) for value in values):
                return False
        elif condition["Field"] != "host-header":
            return False
    return True


def _forwards_to(action: view.Json, group: str) -> bool:
    weighted = action.get("ForwardConfig", {}).get("TargetGroups", [])
    arns = {each["TargetGroupArn"] for each in weighted} | {action.get("TargetGroupArn")}
    return action.get("Type") == "forward" and group in arns


def _action(action: view.Json) -> str:
    arn = str(action.get("TargetGroupArn", ""))
    return f"{action.get('Type', 'no action')} {arn.rpartition(':')[2]}".strip()
