"""What the edge is told: moto's load balancers, rules, target groups and certificates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lab.aws.backends import Backends
from lab.aws.interfaces import Interfaces
from lab.edge import model
from lab.pki import Identity
from lab.vpc import Vpc

_IDLE_TIMEOUT = "idle_timeout.timeout_seconds"


class EdgeView:
    """The control plane as `lab.edge` asks for it; each answer is made anew."""

    def __init__(self, backends: Backends, interfaces: Interfaces, vpc: Vpc) -> None:
        """Reads from these only."""
        self._backends, self._interfaces, self._vpc = backends, interfaces, vpc

    def load_balancers(self) -> Sequence[model.LoadBalancer]:
        """Every load balancer that has an address."""
        with self._backends.lock:
            arns = list(self._backends.elbv2.load_balancers)
            found = [self.load_balancer(arn) for arn in arns]
        return [each for each in found if each is not None]

    def load_balancer(self, arn: str) -> model.LoadBalancer | None:
        """One load balancer; None when it was deleted."""
        with self._backends.lock:
            found = self._backends.elbv2.load_balancers.get(arn)
            interface = self._interfaces.of(arn)
            if found is None or interface is None:
                return None
            return model.LoadBalancer(
                arn=arn,
                dns_name=found.dns_name,
                address=interface.address,
                listeners=tuple(self._listener(found, each) for each in found.listeners.values()),
                idle_timeout=float(found.attrs.get(_IDLE_TIMEOUT, 60)),
            )

    def target_groups(self) -> Sequence[model.TargetGroup]:
        """Every target group."""
        with self._backends.lock:
            return [_target_group(each) for each in self._backends.elbv2.target_groups.values()]

    def target_group(self, arn: str) -> model.TargetGroup | None:
        """One target group; None when it was deleted."""
        with self._backends.lock:
            found = self._backends.elbv2.target_groups.get(arn)
            return None if found is None else _target_group(found)

    def allowed(self, source: str, address: str, port: int) -> bool:
        """Whether the VPC lets this connection through."""
        return self._vpc.allows(source, address, port)

    def certificate(self, reference: str) -> Identity | None:
        """What ACM holds under an ARN."""
        from moto.acm.models import AWS_ROOT_CA

        with self._backends.lock:
            found = self._backends.acm._certificates.get(reference)
        if found is None:
            return None
        # Moto hangs Amazon's root onto every chain; ACM presents what was imported.
        chain = found.chain.replace(AWS_ROOT_CA, b"")
        return Identity(found.cert.strip() + b"\n" + chain.strip() + b"\n", found.key)

    def _listener(self, balancer: Any, item: Any) -> model.Listener:
        rules = sorted(item.rules.values(), key=_order)
        return model.Listener(
            arn=item.arn,
            port=int(item.port),
            protocol="HTTPS" if item.protocol == "HTTPS" else "HTTP",
            rules=tuple(_rule(each) for each in rules),
            certificates=tuple(each for each in item.certificates if each),
            ingress=self._ingress(balancer, int(item.port)),
        )

    def _ingress(self, balancer: Any, port: int) -> tuple[str, ...]:
        return self._vpc.admitted(balancer.security_groups, port)


def _order(rule: Any) -> int:
    return 1_000_000 if rule.is_default else int(rule.priority)


def _rule(item: Any) -> model.Rule:
    return model.Rule(
        arn=item.arn,
        priority=None if item.is_default else int(item.priority),
        conditions=tuple(_condition(each) for each in item.conditions),
        action=_action([each.data for each in item.actions]),
    )


def _condition(item: dict[str, Any]) -> model.Condition:
    field = item["Field"]
    if field == "http-header":
        header = item["HttpHeaderConfig"]
        return model.HttpHeader(header["HttpHeaderName"], tuple(header["Values"]))
    if field == "query-string":
        pairs = item["QueryStringConfig"]["Values"]
        return model.QueryString(tuple((each.get("Key"), each["Value"]) for each in pairs))
    kinds: dict[str, tuple[Callable[[tuple[str, ...]], model.Condition], str]] = {
        "host-header": (model.HostHeader, "HostHeaderConfig"),
        "path-pattern": (model.PathPattern, "PathPatternConfig"),
        "http-request-method": (model.HttpRequestMethod, "HttpRequestMethodConfig"),
        "source-ip": (model.SourceIp, "SourceIpConfig"),
    }
    kind, config = kinds[field]
    values = item.get(config, {}).get("Values") or item.get("Values", [])
    return kind(tuple(values))


def _action(actions: list[dict[str, Any]]) -> model.Action:
    """The last action decides; those before it authenticate, which the platform does not use."""
    action = sorted(actions, key=lambda each: int(each.get("Order") or 0))[-1]
    if action["Type"] == "redirect":
        config = action["RedirectConfig"]
        return model.Redirect(
            status_code=301 if config["StatusCode"] == "HTTP_301" else 302,
            protocol=config.get("Protocol") or "#{protocol}",
            port=str(config.get("Port") or "#{port}"),
            host=config.get("Host") or "#{host}",
            path=config.get("Path") or "/#{path}",
            query=config.get("Query", "#{query}"),
        )
    if action["Type"] == "fixed-response":
        config = action["FixedResponseConfig"]
        return model.FixedResponse(
            int(config["StatusCode"]),
            config.get("ContentType") or "text/plain",
            config.get("MessageBody") or "",
        )
    return _forward(action)


def _forward(action: dict[str, Any]) -> model.Forward:
    groups = action.get("ForwardConfig", {}).get("TargetGroups")
    if not groups:
        return model.Forward(((action["TargetGroupArn"], 1),))
    return model.Forward(
        tuple((each["TargetGroupArn"], int(each.get("Weight", 1))) for each in groups)
    )


def _target_group(item: Any) -> model.TargetGroup:
    port = item.health_check_port
    return model.TargetGroup(
        arn=item.arn,
        targets=tuple(
            model.Target(each["Id"], int(each.get("Port") or item.port))
            for each in item.targets.values()
        ),
        health_check=model.HealthCheck(
            path=item.health_check_path or "/",
            matcher=(item.matcher or {}).get("HttpCode", "200"),
            port=None if port in (None, "traffic-port") else int(port),
            protocol="HTTPS" if item.health_check_protocol == "HTTPS" else "HTTP",
            interval=float(item.health_check_interval_seconds),
            timeout=float(item.health_check_timeout_seconds),
            healthy_threshold=int(item.healthy_threshold_count),
            unhealthy_threshold=int(item.unhealthy_threshold_count),
        ),
        protocol="HTTPS" if item.protocol == "HTTPS" else "HTTP",
    )
