"""The load balancers: certificate, target groups, listeners and rules."""

from __future__ import annotations

from typing import Any

from lab import names
from lab.pki import Identity
from lab.platform import Platform
from lab.provision.network import INTERNAL_BALANCER_GROUP

# How the tasks reach the auth service inside the network is not known: a choice of the lab.
INTERNAL_AUTH_PORT = 8000
_HTTP = 80
_API_PORT, _MLFLOW_PORT, _AUTH_PORT = 8001, 5000, 8000


def create_edge(platform: Platform, certificate: Identity) -> None:
    """Create the four load balancers with everything that belongs to them."""
    arn = import_certificate(platform, certificate)
    _create_target_groups(platform)
    _create_registry(platform, arn)
    _create_auth(platform, arn)
    _create_main(platform, arn)
    _create_internal(platform)


def import_certificate(platform: Platform, certificate: Identity) -> str:
    """Put a certificate into ACM; returns its ARN. The edge presents what ACM holds."""
    leaf, chain = _split(certificate.chain)
    wanted: dict[str, Any] = {"Certificate": leaf, "PrivateKey": certificate.key}
    if chain:
        wanted["CertificateChain"] = chain
    return platform.aws.acm.import_certificate(**wanted)["CertificateArn"]


def redirect_to_https(host: str = "#{host}") -> Any:
    """The action of a port-80 listener; `#{host}` keeps the host that the client asked for."""
    return {
        "Type": "redirect",
        "RedirectConfig": {
            "Protocol": "HTTPS",
            "Port": "443",
            "Host": host,
            "Path": "/#{path}",
            "Query": "#{query}",
            "StatusCode": "HTTP_301",
        },
    }


def forward(target_group: str) -> Any:
    """The action that forwards to a target group."""
    return {"Type": "forward", "TargetGroupArn": target_group}


def _create_target_groups(platform: Platform) -> None:
    for name, port, path, codes in (
        (names.REGISTRY_API_TARGETS, _API_PORT, "/health", "200"),
        (names.REGISTRY_MLFLOW_TARGETS, _MLFLOW_PORT, "/mlflow", "200,308"),
        (names.MAIN_API_TARGETS, _API_PORT, "/health", "200"),
        (names.MAIN_MLFLOW_TARGETS, _MLFLOW_PORT, "/mlflow", "200,308"),
        (names.AUTH_TARGETS, _AUTH_PORT, "/health", "200"),
        (names.INTERNAL_AUTH_TARGETS, _AUTH_PORT, "/health", "200"),
    ):
        platform.aws.elbv2.create_target_group(
            Name=name,
            Protocol="HTTP",
            Port=port,
            VpcId=platform.vpc(),
            TargetType="ip",
            HealthCheckPath=path,
            Matcher={"HttpCode": codes},
            HealthCheckIntervalSeconds=30,
            HealthCheckTimeoutSeconds=5,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=3,
        )


def fixed_response() -> Any:
    """The action that answers 404 `Not Found`, as the main load balancer's default does."""
    return {
        "Type": "fixed-response",
        "FixedResponseConfig": {
            "StatusCode": "404",
            "ContentType": "text/plain",
            "MessageBody": "Not Found",
        },
    }


def listen_for_registry(platform: Platform, port: int) -> None:
    """Give the registry's load balancer its listener on 80 or 443 (again)."""
    balancer = platform.balancer(names.REGISTRY_BALANCER)["LoadBalancerArn"]
    if port == _HTTP:
        _listen_on_80(platform, balancer)
    else:
        _registry_on_443(platform, balancer, _certificate_in_use(platform, names.AUTH_BALANCER))


def listen_for_auth(platform: Platform) -> None:
    """Give the auth service's load balancer its listener on 443 (again)."""
    balancer = platform.balancer(names.AUTH_BALANCER)["LoadBalancerArn"]
    auth = forward(platform.target_group(names.AUTH_TARGETS))
    _listen_on_443(platform, balancer, _certificate_in_use(platform, names.MAIN_BALANCER), auth)


def _certificate_in_use(platform: Platform, balancer: str) -> str:
    return str(platform.listener(balancer, 443)["Certificates"][0]["CertificateArn"])


def _create_registry(platform: Platform, certificate: str) -> None:
    balancer = _create_balancer(platform, names.REGISTRY_BALANCER)
    _listen_on_80(platform, balancer)
    _registry_on_443(platform, balancer, certificate)


def _registry_on_443(platform: Platform, balancer: str, certificate: str) -> None:
    api = forward(platform.target_group(names.REGISTRY_API_TARGETS))
    listener = _listen_on_443(platform, balancer, certificate, api)
    _rule(platform, listener, 10, ["/api/mlflow/*"], api)
    _rule(platform, listener, 20, ["/api/*"], api)
    # As mended: on the platform this rule went to MLflow, past the API and its authentication.
    _rule(platform, listener, 30, ["/mlflow", "/mlflow/*"], api)


def _create_auth(platform: Platform, certificate: str) -> None:
    balancer = _create_balancer(platform, names.AUTH_BALANCER)
    _listen_on_80(platform, balancer)
    auth = forward(platform.target_group(names.AUTH_TARGETS))
    _listen_on_443(platform, balancer, certificate, auth)


def _create_main(platform: Platform, certificate: str) -> None:
    balancer = _create_balancer(platform, names.MAIN_BALANCER)
    _listen_on_80(platform, balancer)
    listener = _listen_on_443(platform, balancer, certificate, fixed_response())
    api = forward(platform.target_group(names.MAIN_API_TARGETS))
    mlflow = forward(platform.target_group(names.MAIN_MLFLOW_TARGETS))
    _rule(platform, listener, 100, ["/api*", "/health"], api)
    _rule(platform, listener, 110, ["/mlflow*"], mlflow)


def _create_internal(platform: Platform) -> None:
    balancer = _create_balancer(platform, names.INTERNAL_BALANCER, internal=True)
    platform.aws.elbv2.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTP",
        Port=INTERNAL_AUTH_PORT,
        DefaultActions=[forward(platform.target_group(names.INTERNAL_AUTH_TARGETS))],
    )


def _create_balancer(platform: Platform, name: str, *, internal: bool = False) -> str:
    group = INTERNAL_BALANCER_GROUP if internal else names.BALANCER_GROUP
    created = platform.aws.elbv2.create_load_balancer(
        Name=name,
        Type="application",
        Scheme="internal" if internal else "internet-facing",
        Subnets=platform.subnets("private" if internal else "public"),
        SecurityGroups=[platform.group(group)],
    )["LoadBalancers"][0]
    platform.aws.elbv2.modify_load_balancer_attributes(
        LoadBalancerArn=created["LoadBalancerArn"],
        Attributes=[
            {"Key": "access_logs.s3.enabled", "Value": "true"},
            {"Key": "access_logs.s3.bucket", "Value": names.ACCESS_LOG_BUCKET},
            {"Key": "access_logs.s3.prefix", "Value": name},
        ],
    )
    return created["LoadBalancerArn"]


def _listen_on_80(platform: Platform, balancer: str) -> None:
    platform.aws.elbv2.create_listener(
        LoadBalancerArn=balancer, Protocol="HTTP", Port=80, DefaultActions=[redirect_to_https()]
    )


def _listen_on_443(platform: Platform, balancer: str, certificate: str, default: Any) -> str:
    return platform.aws.elbv2.create_listener(
        LoadBalancerArn=balancer,
        Protocol="HTTPS",
        Port=443,
        SslPolicy="ELBSecurityPolicy-TLS13-1-2-2021-06",
        Certificates=[{"CertificateArn": certificate}],
        DefaultActions=[default],
    )["Listeners"][0]["ListenerArn"]


def _rule(platform: Platform, listener: str, priority: int, paths: list[str], action: Any) -> None:
    platform.aws.elbv2.create_rule(
        ListenerArn=listener,
        Priority=priority,
        Conditions=[{"Field": "path-pattern", "PathPatternConfig": {"Values": paths}}],
        Actions=[action],
    )


def _split(chain: bytes) -> tuple[bytes, bytes]:
    """The leaf and the rest of a PEM chain, as ACM takes them."""
    end = b"-----END CERTIFICATE-----\n"
    leaf, _, rest = chain.partition(end)
    return leaf + end, rest
