"""The platform's control plane with small programs instead of its services' own.

AWS calls go through boto3 and a socket, ECS runs as in a lab; only what runs in a task is a few
lines that answer health checks.
"""

from __future__ import annotations

import contextlib
import http.server
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab import home, names, settings
from lab.addresses import Network
from lab.aws import fidelity
from lab.aws.backends import Backends
from lab.aws.clients import Clients
from lab.aws.hooks import Hooks
from lab.aws.interfaces import Interfaces
from lab.aws.preload import preload
from lab.aws.server import Endpoint
from lab.ecs.api import EcsApi
from lab.ecs.controller import Controller
from lab.ecs.lifecycle import Lifecycle
from lab.ecs.model import Service, StartError, Task
from lab.pki import Authority
from lab.platform import Platform
from lab.provision import Secrets, provision
from lab.vpc import Vpc

WITHIN = 20.0


class Program:
    """Answers every request on its task's port with `status`, until stopped or ended."""

    pid = 0

    def __init__(self, address: str, port: int) -> None:
        self.status, self.exit_code = 200, None
        self._server = http.server.ThreadingHTTPServer((address, port), self._handler())
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        thread.start()

    def poll(self) -> int | None:
        return self.exit_code

    def stop(self, grace: float) -> None:
        self.end(0)

    def end(self, status: int) -> None:
        """End as by itself."""
        if self.exit_code is None:
            self.exit_code = status  # type: ignore[assignment]
            self._server.shutdown()
            self._server.server_close()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        program = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(program.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *arguments: object) -> None:
                return

        return Handler


@dataclass
class Programs:
    """What was launched: environments and programs by task id."""

    environments: dict[str, dict[str, str]] = field(default_factory=dict)
    running: dict[str, Program] = field(default_factory=dict)

    def launch(self, task: Task, environment: dict[str, str], address: str, _log: Path) -> Program:
        if "nowhere" in task.container["image"]:
            raise StartError("CannotPullContainerError: no such image")
        assert task.port is not None
        self.environments[task.id] = environment
        self.running[task.id] = Program(address, task.port)
        return self.running[task.id]


class AllHealthy:
    """Load balancers that find every target healthy."""

    def state(self, target_group: str, address: str, port: int) -> str:
        return "healthy"


@dataclass
class SmallPlatform:
    """Everything that a test may look at or change."""

    network: Network
    aws: Clients
    platform: Platform
    backends: Backends
    hooks: Hooks
    interfaces: Interfaces
    vpc: Vpc
    programs: Programs
    controller: Controller

    def tasks(self, service: str, status: str = "RUNNING") -> list[Any]:
        """The tasks of a service, as DescribeTasks shows them."""
        listed = self.aws.ecs.list_tasks(
            cluster=names.CLUSTER,
            serviceName=service,
            desiredStatus=status,  # type: ignore[arg-type]
        )["taskArns"]
        if not listed:
            return []
        return list(self.aws.ecs.describe_tasks(cluster=names.CLUSTER, tasks=listed)["tasks"])

    def task(self, service: str) -> Any:
        """The one running task of a service."""
        (task,) = self.tasks(service)
        return task

    def address(self, service: str) -> str:
        """The address of the running task."""
        return str(
            self.task(service)["containers"][0]["networkInterfaces"][0]["privateIpv4Address"]
        )

    def settle(self) -> None:
        """Wait until every rollout is done."""
        wait_until(self.controller.settled, "settled")


def wait_until(happened: Callable[[], object], what: str) -> None:
    """Poll with a deadline."""
    deadline = time.monotonic() + WITHIN
    while not happened():
        assert time.monotonic() < deadline, f"not {what} within {WITHIN} s"
        time.sleep(0.02)


@contextlib.contextmanager
def running(logs: Path) -> Iterator[SmallPlatform]:
    """Provision the healthy platform and run its services."""
    network, listener = home.claim(None)
    preload()
    backends, hooks = Backends(names.REGION), Hooks()
    interfaces, vpc = Interfaces(backends), Vpc(backends, network)
    endpoint = Endpoint(listener, backends, hooks)
    fidelity.name_balancers_as_aws(backends)
    fidelity.mend_cloud_map(backends)
    fidelity.allow_several_namespaces(backends)
    fidelity.compare_rules_without_descriptions()
    fidelity.filter_discovery_services(backends, hooks)
    fidelity.date_task_definitions(backends, hooks)
    services: dict[str, Service] = {}
    programs = Programs()
    lifecycle = Lifecycle(backends, interfaces, programs, logs)
    controller = Controller(backends, services, lifecycle, AllHealthy())
    EcsApi(backends, services, controller.poke).install(hooks)
    hooks.watch(lambda call, _answer: None if call.reads else interfaces.follow())
    endpoint.start()
    credentials = settings.Credentials.generate()
    aws = Clients(settings.aws_environment(network, credentials))
    platform = Platform(aws, network)
    made = Secrets(secrets.token_urlsafe(24), secrets.token_urlsafe(32), credentials.api_key_hash)
    try:
        provision(platform, made, Authority().public())
        controller.start()
        yield SmallPlatform(
            network, aws, platform, backends, hooks, interfaces, vpc, programs, controller
        )
    finally:
        controller.stop()
        endpoint.close()
        listener.close()
