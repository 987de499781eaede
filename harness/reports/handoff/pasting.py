"""Command lines that work as pasted: the catalogue's steps and the probes' own questions.

A line that belongs into a task gets the way into it; a request of the runner gets the
environment's addresses and trust, as the probes had them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit

from harness.catalogue import DocumentedFailure
from harness.environment import Environment
from harness.observation import (
    ContractObservation,
    DnsObservation,
    HttpObservation,
    Observation,
    PostgresObservation,
)
from harness.reports import exchange
from harness.reports.handoff.model import Command
from harness.reports.handoff.sources import Sources
from harness.signatures import evidence
from harness.specs import RUNNER
from harness.verdicts import Status

IN_TASK = re.compile(r"\s*# inside the (?P<service>\w+) task$", re.IGNORECASE)
_URL = re.compile(r"https?://[^\s\"']+")
_VARIABLE = re.compile(r"\$(HOKUSAI_\w+)")
_TOOL = re.compile(r"(?:^|[|(] ?)(aws|curl|jq|openssl)(?= )", re.MULTILINE)
_KEYED = ("X-API-Key", "Authorization: Bearer", "Authorization: ApiKey")


def reproduction(sources: Sources, failure: DocumentedFailure) -> tuple[Command, ...]:
    """Return the documented steps, then what the failed symptom checks asked, each once."""
    documented = tuple(_documented(sources, failure))
    found = {command.line: command for command, _probe in documented}
    told = {probe for _command, probe in documented}
    for command, probe in _asked(sources, failure):
        if probe not in told:
            found.setdefault(command.line, command)
    return tuple(found.values())


def shell(environment: Environment, lines: Iterable[str]) -> tuple[str, ...]:
    """Return what a shell needs before the lines are pasted into it."""
    if environment.shell:
        return (environment.shell,)
    text = "\n".join(lines)
    needed = [f"export {name}=…" for name in sorted(set(_VARIABLE.findall(text)))]
    if environment.aws and "aws" in tools([text]):
        needed.append(
            f"export AWS_DEFAULT_REGION={environment.aws.region}   # and credentials for aws"
        )
    return tuple(needed)


def tools(lines: Iterable[str]) -> tuple[str, ...]:
    """Return the programs that the lines need beside a shell, by name."""
    given = list(lines)
    found = {name for line in given for name in _TOOL.findall(line)}
    if any("aws ecs execute-command" in line for line in given):
        found.add("session-manager-plugin")
    return tuple(sorted(found))


def pasted(line: str, vantage: str, environment: Environment, redirects: Iterable[str] = ()) -> str:
    """Return ``line`` as it works in a shell of the runner. Placeholders stay placeholders."""
    if vantage != RUNNER:
        return _in_task(line, vantage.partition(":")[2], environment)
    if not line.startswith("curl "):
        return line
    options = " ".join(_curl_options(line, environment, redirects))
    return f"curl {options} {line.removeprefix('curl ')}" if options else line


def _documented(sources: Sources, failure: DocumentedFailure) -> Iterator[tuple[Command, str]]:
    """Yield the documented steps, each with the key of the probe that asked the same."""
    seen = [
        sources.observations[key]
        for check in sources.symptoms(failure.id)
        for key in check.probes
        if key in sources.observations
    ]
    for step in failure.reproduction:
        inside = IN_TASK.search(step)
        vantage = f"task:{inside['service'].lower()}" if inside else RUNNER
        line = _with_names(IN_TASK.sub("", step), sources.environment)
        same = next((each for each in seen if _asks_the_same(line, vantage, each)), None)
        command = Command(
            line=pasted(line, vantage, sources.environment, _redirects(sources)),
            about="from the catalogue" + (", inside a task" if inside else ""),
            seen=_answer(same) if same else "",
        )
        yield command, same.probe if same else ""


def _asked(sources: Sources, failure: DocumentedFailure) -> Iterator[tuple[Command, str]]:
    for check in sources.symptoms(failure.id):
        if check.status is not Status.FAILED:
            continue
        for key in check.probes:
            observation = sources.observations.get(key)
            line = exchange.command(observation) if observation else None
            if observation and line:
                command = Command(
                    line=pasted(
                        line, observation.vantage, sources.environment, _redirects(sources)
                    ),
                    about=check.title,
                    seen=_answer(observation),
                )
                yield command, observation.probe


def _answer(observation: Observation) -> str:
    return evidence(observation).partition(" -> ")[2]


def _with_names(line: str, environment: Environment) -> str:
    """Put the environment's own names in the place of the documented ones."""
    registry = urlsplit(environment.registry.url)
    line = line.replace("https://registry.hokus.ai", environment.registry.url)
    line = line.replace("http://registry.hokus.ai", f"http://{registry.netloc}")
    if environment.mlflow.url:
        line = line.replace("http://mlflow.hokusai.local:5000", environment.mlflow.url)
        name = urlsplit(environment.mlflow.url).hostname or ""
        line = line.replace("mlflow.hokusai.local", name)
    line = line.replace('"$ENV"', environment.name)
    return re.sub(r"^pytest ", ".venv/bin/pytest ", line)


def _asks_the_same(line: str, vantage: str, seen: Observation) -> bool:
    if seen.vantage != vantage:
        return False
    match seen:
        case HttpObservation():
            key = seen.request_headers.get("X-API-Key") and "X-API-Key"
            scheme = seen.request_headers.get("Authorization", "").partition(" ")[0]
            form = key or (f"Authorization: {scheme}" if scheme else "")
            asked = next((each for each in _KEYED if each in line), "")
            return f'{seen.url}"' in f'{line}"'.replace(" ", '"') and form == asked
        case DnsObservation():
            return line.startswith("getent ") and seen.name in line
        case PostgresObservation():
            user = re.search(r"user=(?:\$\{DB_USER:-)?(\w+)", line)
            return "psql " in line and user is not None and user[1] == seen.user
        case ContractObservation():
            return "pytest " in line
        case _:
            return False


def _curl_options(line: str, environment: Environment, redirects: Iterable[str]) -> Iterator[str]:
    asked = {_host_and_port(url) for url in _URL.findall(line)}
    if " -L" in line:
        hosts = {host for host, _port in asked} | set(redirects)
        asked = {(host, port) for host in hosts for port in ("80", "443")}
    for entry in environment.network.connect_to:
        host, port = entry.split(":")[:2]
        if (host, port) in asked:
            yield f"--connect-to {shlex.quote(entry)}"
    if environment.tls.ca_bundle and ("https:" in line or " -L" in line):
        yield '--cacert "$HOKUSAI_TLS_CA_BUNDLE"'


def _host_and_port(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.hostname or "", str(parts.port or {"http": 80, "https": 443}[parts.scheme])


def _redirects(sources: Sources) -> set[str]:
    answers = [o for o in sources.observations.values() if isinstance(o, HttpObservation)]
    targets = [a.headers.get("location", a.headers.get("Location", "")) for a in answers]
    return {host for target in targets if (host := urlsplit(target).hostname)}


def _in_task(line: str, service: str, environment: Environment) -> str:
    inside = f"sh -c {shlex.quote(line)}"
    if environment.aws is None or service not in environment.aws.services:
        return line
    names, found = environment.aws, environment.aws.services[service]
    if environment.vantage.printed_as == "suite":
        # As it is typed in the suite's own folder.
        place = f"{names.cluster}/{found.service}/{found.container}"
        return f".venv/bin/python -m harness.ecs_exec {place} -- {inside}"
    task = (
        f'"$(aws ecs list-tasks --cluster {names.cluster} --service-name {found.service} '
        "--query 'taskArns[0]' --output text)\""
    )
    return (
        f"aws ecs execute-command --cluster {names.cluster} --task {task} "
        f"--container {found.container} --interactive --command {shlex.quote(inside)}"
    )
