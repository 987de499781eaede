"""Every part of a running lab, started in the order of their dependencies."""

from __future__ import annotations

import logging
import secrets
import socket
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from lab import names, settings
from lab.addresses import MESSAGES_PORT, RESOLVER_PORT, Network
from lab.aws.answer import Answer
from lab.aws.call import Call
from lab.coalesce import Coalesced
from lab.home import CACHE, Record
from lab.tempo import CALM

_log = logging.getLogger(__name__)

# The most expensive to import first: it is what everything else waits for.
_PROGRAMS = ("mlflow", "api", "auth")
ACCESS_LOG = "alb-access.log"
_BUNDLE, _BREAKER, _POLICY = "ca.pem", "circuit-breaker", "policy.sock"


class Parts:
    """Started by `boot`; `close` ends them in the opposite order, from whatever state."""

    def __init__(
        self,
        network: Network,
        listener: socket.socket,
        record: Record,
        tell: Callable[[str], None],
    ) -> None:
        """`tell` is called with the name of each part that is ready."""
        self._network, self._listener, self._tell = network, listener, tell
        self._record, self._folder = record, record.folder
        self._sockets, self._logs = Path(record.sockets), Path(record.logs)
        self._stack = ExitStack()
        self._credentials = settings.Credentials.generate()

    def boot(self, scenario: str) -> dict[str, str]:
        """Start everything and put the scenario in; returns the lab's environment.

        The tasks are on their way then: see `settled`.
        """
        self._preload_programs()
        self._start_control_plane()
        self._tell("control plane")
        self._provision()
        self._tell("platform")
        self._apply(scenario)
        self._start_network()
        self._tell("network")
        # MLflow that starts before its database sleeps ever longer between its attempts to log in.
        self._database.follow()
        self._tell("database")
        self._controller.start()
        return self._environment()

    def settled(self) -> bool:
        """Whether the database runs, and no deployment or first health check is under way."""
        server = self._database.server
        return server is not None and server.alive and self._controller.settled()

    def unsettled(self) -> str:
        """What `settled` still waits for, in one line."""
        with self._backends.lock:
            waiting = [
                f"{each.name}: {each.primary.reason} {each.events[0]['message']}"
                for each in self._services.values()
                if each.primary.rollout == "IN_PROGRESS" and each.events
            ]
        return "; ".join(waiting) or f"the database: see {self._logs / 'postgres.log'}"

    def close(self) -> None:
        """End every part. A part that cannot be ended is logged, and does not stop the others."""
        self._stack.close()

    def _preload_programs(self) -> None:
        from lab.tasks import TaskHosts

        self._hosts = TaskHosts(self._sockets, self._logs)
        self._ends(self._hosts.stop)
        self._hosts.preload(_PROGRAMS)

    def _start_control_plane(self) -> None:
        from lab.aws import fidelity
        from lab.aws.backends import Backends
        from lab.aws.hooks import Hooks
        from lab.aws.interfaces import Interfaces
        from lab.aws.permissions import Permissions
        from lab.aws.preload import preload
        from lab.aws.server import Endpoint
        from lab.aws.trail import NAME, Trail
        from lab.vpc import Vpc

        preload()
        self._backends, self._hooks = Backends(names.REGION), Hooks()
        self._interfaces = Interfaces(self._backends)
        self._vpc = Vpc(self._backends, self._network)
        endpoint = Endpoint(self._listener, self._backends, self._hooks)
        fidelity.name_balancers_as_aws(self._backends)
        fidelity.mend_cloud_map(self._backends)
        fidelity.allow_several_namespaces(self._backends)
        fidelity.tell_which_balancers_lead_to_a_group(self._backends)
        fidelity.compare_rules_without_descriptions()
        fidelity.filter_discovery_services(self._backends, self._hooks)
        fidelity.date_task_definitions(self._backends, self._hooks)
        self._hooks.gate(Permissions(self._backends, self._credentials.access_key).gate)
        trail = Trail(self._logs / NAME, self._credentials.access_key)
        self._ends(trail.close)
        self._hooks.watch(trail.watch)
        self._start_followers()
        endpoint.start()
        self._ends(endpoint.close)

    def _start_followers(self) -> None:
        """What AWS does by itself after a call: interfaces, the database, ECS."""
        from lab.edge import Edge, Pace
        from lab.edge_view import EdgeView
        from lab.pki import Authority
        from lab.rds import DatabaseFollower

        self._authority = Authority()
        view = EdgeView(self._backends, self._interfaces, self._vpc)
        pace = Pace(interval=CALM)
        self._edge = Edge(view, access_log=self._logs / ACCESS_LOG, pace=pace)
        self._edge_changes = Coalesced("edge-changes", self._edge.sync)
        self._database = DatabaseFollower(
            self._backends,
            self._interfaces,
            self._authority,
            cache=CACHE,
            folder=self._folder,
            log=self._logs / "postgres.log",
        )
        self._ends(self._database.close)
        self._database_changes = Coalesced("rds", self._database.follow)
        self._ends(self._database_changes.stop)
        self._database_changes.start()
        self._build_ecs()
        self._hooks.watch(self._follow)

    def _build_ecs(self) -> None:
        from lab.aws import fidelity
        from lab.delivery import Delivery
        from lab.ecs.api import EcsApi
        from lab.ecs.controller import Controller
        from lab.ecs.lifecycle import Lifecycle
        from lab.ecs.model import Service
        from lab.launcher import ImageLauncher

        self._services: dict[str, Service] = {}
        launcher = ImageLauncher(
            self._hosts,
            folder=self._folder / "tasks",
            resolver=f"{self._network.resolver}:{RESOLVER_PORT}",
            policy=self._sockets / _POLICY,
        )
        lifecycle = Lifecycle(self._backends, self._interfaces, launcher, self._logs)
        targets = _TargetStates(self._edge)
        self._controller = Controller(
            self._backends, self._services, lifecycle, targets, self._point_to_breaker
        )
        EcsApi(self._backends, self._services, self._controller.poke).install(self._hooks)
        self._open_tasks()
        fidelity.tell_real_target_health(self._backends, self._edge.target_health)
        access_log = self._logs / ACCESS_LOG
        self._delivery = Delivery(self._backends, self._services, self._logs, access_log)
        self._delivery.install(self._hooks)

    def _open_tasks(self) -> None:
        """ECS Exec: the operation, and the gateway that its sessions go through."""
        from lab.exec_agent import ExecuteCommandApi, Gateway, Orders
        from lab.launcher import command_inside

        orders = Orders()
        gateway = Gateway(self._network.messages, MESSAGES_PORT, orders)
        self._ends(gateway.close)
        gateway.start()
        api = ExecuteCommandApi(self._backends, self._services, orders, gateway.url, command_inside)
        api.install(self._hooks)

    def _follow(self, call: Call, answer: Answer) -> None:
        if call.reads or answer.status >= 300:
            return
        if call.service in ("elasticloadbalancing", "rds"):
            self._interfaces.follow()
        if call.service == "rds":
            self._database.note(call)
            self._database_changes.ask()
        self._controller.look_at_everything()
        self._edge_changes.ask()

    def _at_rest(self) -> bool:
        """Whether everything that follows a change of the control plane has happened."""
        return (
            self._database_changes.idle
            and self._edge_changes.idle
            and self._controller.at_rest()
            and self._edge.settled()
        )

    def _provision(self) -> None:
        from lab.aws.clients import Clients
        from lab.beyond import BeyondAws
        from lab.platform import Platform
        from lab.provision import Secrets, provision

        # Credentials of the lab's own: whatever its user may not do, faults still can.
        own = settings.Credentials.generate()
        clients = Clients(settings.aws_environment(self._network, own))
        beyond = BeyondAws(self._authority, self._database)
        self._platform = Platform(clients, self._network, beyond)
        made = Secrets(
            database_password=secrets.token_urlsafe(24),
            secret_key=secrets.token_urlsafe(32),
            api_key_hashes=self._credentials.api_key_hash,
        )
        provision(self._platform, made, self._authority.public())

    def _apply(self, scenario: str) -> None:
        from lab import faults
        from lab.scenarios import load

        for step in load(scenario).faults:
            faults.find(step.fault).apply(self._platform)

    def _start_network(self) -> None:
        """Names, verdicts, load balancers and the lab's own socket."""
        from lab.change import Changes
        from lab.control import ControlSocket
        from lab.dns import NameServer
        from lab.policy import PolicyServer
        from lab.zones import Zones

        self._balancers = {each.dns_name: each.address for each in self._public_balancers()}
        zones = Zones(self._backends, self._interfaces, self._public_zone())
        resolver = NameServer(
            self._network.resolver, RESOLVER_PORT, zones, self._vpc.resolves_names
        )
        policy = PolicyServer(self._sockets / _POLICY, self._vpc)
        changes = Changes(self._platform, self._at_rest)
        responders = {
            "inside": self._inside,
            "status": self._status,
            "fault": changes.fault,
            "settle": changes.settle,
        }
        control = ControlSocket(self._sockets, responders)
        for part in (resolver, policy, control):
            self._ends(part.close)
            part.start()
        self._ends(self._edge.stop)
        self._edge.start()
        self._ends(self._edge_changes.stop)
        self._edge_changes.start()
        self._ends(self._controller.stop)
        self._ends(self._delivery.stop)
        self._delivery.start()

    def _environment(self) -> dict[str, str]:
        bundle = self._authority.write_bundle(self._folder / _BUNDLE)
        public = {host: self._balancers[target] for host, target in self._public_zone().items()}
        return settings.environment(
            self._network,
            self._credentials,
            bundle=bundle,
            breaker=self._folder / _BREAKER,
            balancers={**public, **self._balancers},
        )

    def _public_balancers(self) -> list[Any]:
        from lab.edge_view import EdgeView

        view = EdgeView(self._backends, self._interfaces, self._vpc)
        internal = {
            each.arn
            for each in self._backends.elbv2.load_balancers.values()
            if each.scheme == "internal"
        }
        return [each for each in view.load_balancers() if each.arn not in internal]

    def _public_zone(self) -> dict[str, str]:
        """The third party's zone: set once, as its CNAMEs were set by hand."""
        by_name = {
            each.name: each.dns_name for each in self._backends.elbv2.load_balancers.values()
        }
        return {host: by_name[balancer] for host, balancer in names.PUBLIC_HOSTS.items()}

    def _point_to_breaker(self) -> None:
        """Let the link follow the image of the API's running task."""
        from lab.images import find

        running = [
            task
            for task in self._services[names.API].tasks
            if task.wanted and task.last_status == "RUNNING"
        ]
        if running:
            folder = find(running[-1].container["image"]).circuit_breaker
            link, draft = self._folder / _BREAKER, self._folder / f".{_BREAKER}"
            if folder is not None and (not link.is_symlink() or link.readlink() != folder):
                draft.unlink(missing_ok=True)
                draft.symlink_to(folder)
                draft.rename(link)

    def _inside(self, question: dict[str, Any]) -> dict[str, Any]:
        from lab.launcher import command_inside

        name = names.SERVICES.get(question["service"], question["service"])
        if name not in self._services:
            known = ", ".join(names.SERVICES)
            raise LookupError(f"there is no service '{question['service']}'; there are: {known}")
        with self._backends.lock:
            tasks = [t for t in self._services[name].tasks if t.wanted and t.started_at]
        if not tasks:
            raise LookupError(f"service {name} has no running task")
        argv, environment, folder = command_inside(tasks[-1], question["argv"])
        return {"argv": argv, "environment": environment, "folder": str(folder)}

    def _status(self, _question: dict[str, Any]) -> dict[str, Any]:
        from lab.ecs import render

        with self._backends.lock:
            services = [render.service(each) for each in self._services.values()]
            tasks = [
                render.task(task)
                for each in self._services.values()
                for task in each.tasks
                if not task.ended
            ]
        return {"services": services, "tasks": tasks, "balancers": self._balancers}

    def _ends(self, end: Callable[[], object]) -> None:
        def safely() -> None:
            try:
                end()
            except Exception:
                _log.exception("ending %s", end)

        self._stack.callback(safely)


class _TargetStates:
    """The load balancers' view of a target, as the ECS controller asks for it."""

    def __init__(self, edge: Any) -> None:
        self._edge = edge

    def state(self, target_group: str, address: str, port: int) -> str:
        for each in self._edge.target_health(target_group):
            if (each.target.address, each.target.port) == (address, port):
                return str(each.state)
        return "initial"
