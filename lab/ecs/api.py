"""The ECS operations on services and tasks, as AWS answers them.

Clusters and task definitions stay with moto. Every handler is called without the control plane's
lock and takes it itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.aws.answer import Answer, AwsError, result
from lab.aws.backends import Backends
from lab.aws.call import Call
from lab.aws.hooks import Hooks
from lab.ecs import render
from lab.ecs.model import Deployment, Service, Settings, Task, new_deployment_id

_OPTIONS = (
    "deploymentConfiguration",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "enableECSManagedTags",
    "propagateTags",
    "tags",
)
_DEFAULT_DEPLOYMENT = {
    "deploymentCircuitBreaker": {"enable": False, "rollback": False},
    "maximumPercent": 200,
    "minimumHealthyPercent": 100,
}

Parameters = dict[str, Any]


class EcsApi:
    """Answers for services and tasks; `services` is shared with the controller."""

    def __init__(
        self, backends: Backends, services: dict[str, Service], poke: Callable[[], None]
    ) -> None:
        """`poke` wakes the controller after a change."""
        self._backends, self._services, self._poke = backends, services, poke

    def install(self, hooks: Hooks) -> None:
        """Take over the operations from moto."""
        for operation, handler in (
            ("CreateService", self._create_service),
            ("UpdateService", self._update_service),
            ("DeleteService", self._delete_service),
            ("DescribeServices", self._describe_services),
            ("ListServices", self._list_services),
            ("ListTasks", self._list_tasks),
            ("DescribeTasks", self._describe_tasks),
            ("StopTask", self._stop_task),
            ("ListServiceDeployments", self._list_deployments),
            ("DescribeServiceDeployments", self._describe_deployments),
            ("DescribeServiceRevisions", self._describe_revisions),
        ):
            hooks.handle("ecs", operation, self._locked(handler))

    def _locked(self, handler: Callable[[Parameters], Parameters]) -> Callable[[Call], Answer]:
        def answer(call: Call) -> Answer:
            with self._backends.lock:
                document = handler(call.parameters)
            if not call.reads:
                self._poke()
            return result(document)

        return answer

    def _create_service(self, wanted: Parameters) -> Parameters:
        cluster = self._cluster(wanted)
        name = wanted["serviceName"]
        if name in self._services and self._services[name].status == "ACTIVE":
            raise AwsError("InvalidParameterException", "Creation of service was not idempotent.")
        options = {key: wanted[key] for key in _OPTIONS if key in wanted}
        options["deploymentConfiguration"] = {
            **_DEFAULT_DEPLOYMENT,
            **options.get("deploymentConfiguration", {}),
        }
        made = Service(
            name=name,
            arn=cluster.arn.replace(":cluster/", ":service/") + f"/{name}",
            cluster=cluster.name,
            cluster_arn=cluster.arn,
            desired=int(wanted.get("desiredCount", 0)),
            deployments=[Deployment(new_deployment_id(), self._settings(wanted))],
            options=options,
        )
        made.primary.reason = f"ECS deployment {made.primary.id} in progress."
        self._services[name] = made
        return {"service": render.service(made)}

    def _update_service(self, wanted: Parameters) -> Parameters:
        found = self._service(wanted)
        if found.status != "ACTIVE":
            raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
        settings = self._settings(wanted, found.primary.settings)
        for key in _OPTIONS:
            if key in wanted:
                value = wanted[key]
                merge = key == "deploymentConfiguration"
                found.options[key] = {**found.options.get(key, {}), **value} if merge else value
        found.desired = int(wanted.get("desiredCount", found.desired))
        if wanted.get("forceNewDeployment") or settings != found.primary.settings:
            found.deploy(settings)
        return {"service": render.service(found)}

    def _delete_service(self, wanted: Parameters) -> Parameters:
        found = self._service(wanted)
        if found.desired > 0 and not wanted.get("force"):
            message = "The service cannot be stopped while it is scaled above 0."
            raise AwsError("InvalidParameterException", message)
        found.desired, found.status = 0, "DRAINING"
        for task in found.tasks:
            if task.wanted:
                task.has_to_stop("ServiceSchedulerInitiated", "Service was deleted")
        return {"service": render.service(found)}

    def _describe_services(self, wanted: Parameters) -> Parameters:
        cluster = self._cluster(wanted)
        shown, failures = [], []
        for reference in wanted.get("services", []):
            found = self._services.get(_last(reference))
            if found is None or found.cluster != cluster.name:
                arn = cluster.arn.replace(":cluster/", ":service/") + f"/{_last(reference)}"
                failures.append({"arn": arn, "reason": "MISSING"})
                continue
            document = render.service(found)
            if "TAGS" not in wanted.get("include", []):
                document.pop("tags", None)
            shown.append(document)
        return {"services": shown, "failures": failures}

    def _list_services(self, wanted: Parameters) -> Parameters:
        cluster = self._cluster(wanted)
        found = [s for s in self._services.values() if s.cluster == cluster.name]
        return {"serviceArns": [s.arn for s in found if s.status != "INACTIVE"]}

    def _list_tasks(self, wanted: Parameters) -> Parameters:
        cluster = self._cluster(wanted)
        if wanted.get("serviceName"):
            services = [self._service({**wanted, "service": wanted["serviceName"]})]
        else:
            services = [s for s in self._services.values() if s.cluster == cluster.name]
        status = wanted.get("desiredStatus", "RUNNING")
        tasks = [t for s in services for t in s.tasks if t.desired_status == status]
        family = wanted.get("family")
        if family:
            tasks = [t for t in tasks if _last(t.definition).partition(":")[0] == family]
        return {"taskArns": [task.arn for task in tasks]}

    def _describe_tasks(self, wanted: Parameters) -> Parameters:
        cluster = self._cluster(wanted)
        tasks = {t.id: t for s in self._services.values() for t in s.tasks}
        shown, failures = [], []
        for reference in wanted.get("tasks", []):
            found = tasks.get(_last(reference))
            if found is None:
                arn = cluster.arn.replace(":cluster/", ":task/") + f"/{_last(reference)}"
                failures.append({"arn": arn, "reason": "MISSING"})
            else:
                shown.append(render.task(found))
        return {"tasks": shown, "failures": failures}

    def _stop_task(self, wanted: Parameters) -> Parameters:
        self._cluster(wanted)
        found = self._task(wanted["task"])
        found.has_to_stop("UserInitiated", wanted.get("reason") or "Task stopped by user")
        return {"task": render.task(found)}

    def _list_deployments(self, wanted: Parameters) -> Parameters:
        owner = self._service(wanted)
        states = set(wanted.get("status", []))
        everything = [render.service_deployment(owner, each) for each in owner.deployments]
        brief = [
            {
                **{key: value for key, value in each.items() if key in _BRIEF},
                "targetServiceRevisionArn": each["targetServiceRevision"]["arn"],
            }
            for each in everything
            if not states or each["status"] in states
        ]
        return {"serviceDeployments": brief}

    def _describe_deployments(self, wanted: Parameters) -> Parameters:
        arns = set(wanted.get("serviceDeploymentArns", []))
        found = [
            render.service_deployment(owner, each)
            for owner in self._services.values()
            for each in owner.deployments
            if render.deployment_arn(owner, each) in arns
        ]
        return {"serviceDeployments": found, "failures": []}

    def _describe_revisions(self, wanted: Parameters) -> Parameters:
        arns = set(wanted.get("serviceRevisionArns", []))
        found = [
            render.service_revision(owner, each)
            for owner in self._services.values()
            for each in owner.deployments
            if render.revision_arn(owner, each) in arns
        ]
        return {"serviceRevisions": found, "failures": []}

    def _settings(self, wanted: Parameters, present: Settings | None = None) -> Settings:
        before = present or Settings("", {}, [], [], "LATEST")
        definition = before.task_definition
        if wanted.get("taskDefinition"):
            definition = self._definition(wanted["taskDefinition"])
        return Settings(
            task_definition=definition,
            network=wanted.get("networkConfiguration", before.network),
            balancers=wanted.get("loadBalancers", before.balancers),
            registries=wanted.get("serviceRegistries", before.registries),
            platform_version=wanted.get("platformVersion", before.platform_version),
        )

    def _definition(self, reference: str) -> str:
        from moto.core.exceptions import ServiceException

        try:
            found = self._backends.ecs.describe_task_definition(reference)
        except (ServiceException, ValueError, KeyError, TypeError):
            found = None
        if found is None or found.status != "ACTIVE":
            raise AwsError("ClientException", "TaskDefinition not found.")
        return str(found.arn)

    def _cluster(self, wanted: Parameters) -> Any:
        found = self._backends.ecs.clusters.get(_last(wanted.get("cluster", "default")))
        if found is None:
            raise AwsError("ClusterNotFoundException", "Cluster not found.")
        return found

    def _service(self, wanted: Parameters) -> Service:
        cluster = self._cluster(wanted)
        found = self._services.get(_last(wanted.get("service", "")))
        if found is None or found.cluster != cluster.name or found.status == "INACTIVE":
            raise AwsError("ServiceNotFoundException", "Service not found.")
        return found

    def _task(self, reference: str) -> Task:
        for service in self._services.values():
            for task in service.tasks:
                if task.id == _last(reference):
                    return task
        raise AwsError("InvalidParameterException", "The referenced task was not found.")


_BRIEF = (
    "serviceDeploymentArn",
    "serviceArn",
    "clusterArn",
    "createdAt",
    "startedAt",
    "finishedAt",
    "status",
    "statusReason",
)


def _last(reference: str) -> str:
    return reference.rpartition("/")[2]
