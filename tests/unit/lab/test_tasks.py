"""Tasks: how they start and end, and that the lab's network applies to whatever runs in them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from harness import in_task
from lab.tasks import TaskHosts, TaskProcess, UnknownImageError, exec_argv
from tests.unit.lab import small_network
from tests.unit.lab.small_network import SmallNetwork

AUTH, API, GONE, AWAY = "127.249.16.12", "127.249.16.11", "127.249.16.13", "127.249.16.14"
IMAGES = "1.dkr.ecr.us-east-1.amazonaws.com/hokusai/"
KEY = "hk_test_" + "q" * 16
VARIABLES = {
    "API_HOST": "0.0.0.0",
    "AUTH_SERVICE_URL": "http://auth.test:8000",
    "DB_HOST": "db.test",
    "DB_PASSWORD": "not-a-secret-of-anybody",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
}


@pytest.fixture(scope="module")
def network() -> Iterator[SmallNetwork]:
    # Not pytest's own folder: the path of a unix socket must be short.
    with (
        tempfile.TemporaryDirectory(prefix="lab-") as folder,
        small_network.running(Path(folder)) as running,
    ):
        running.names |= {"auth.test": AUTH, "api.test": API, "db.test": GONE, "empty.test": ""}
        running.names["mlflow.hokusai.local"] = AWAY
        running.dropped.add((AWAY, 5000))
        yield running


@pytest.fixture(scope="module")
def hosts(network: SmallNetwork) -> Iterator[TaskHosts]:
    hosts = TaskHosts(network.folder, network.folder)
    hosts.preload(["api", "auth"])
    yield hosts
    hosts.stop()


def start(
    hosts: TaskHosts, network: SmallNetwork, image: str, address: str, port: int, **variables: str
) -> TaskProcess:
    log = network.folder / f"{address}.log"
    task = hosts.start(IMAGES + image, variables, network.surroundings(address), log)
    task.wait_listening(port, 20)
    return task


@pytest.fixture(scope="module")
def auth(hosts: TaskHosts, network: SmallNetwork) -> TaskProcess:
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    return start(hosts, network, "auth:corrected", AUTH, 8000, API_KEY_HASHES=digest)


@pytest.fixture(scope="module", params=["corrected", "2025-08-06"])
def api(
    request: pytest.FixtureRequest, hosts: TaskHosts, network: SmallNetwork, auth: TaskProcess
) -> Iterator[str]:
    task = start(hosts, network, f"api:{request.param}", API, 8001, **VARIABLES)
    yield f"http://{API}:8001"
    task.stop()


def get(url: str, **options: dict[str, str]) -> requests.Response:
    return requests.get(url, timeout=10, allow_redirects=False, **options)  # type: ignore[arg-type]


def test_every_form_of_a_valid_key_is_accepted_and_others_are_refused(api: str) -> None:
    forms = [
        get(f"{api}/api/health", headers={"X-API-Key": KEY}),
        get(f"{api}/api/health", headers={"Authorization": f"Bearer {KEY}"}),
        get(f"{api}/api/health", headers={"Authorization": f"ApiKey {KEY}"}),
        get(f"{api}/api/health?api_key={KEY}"),
    ]
    assert [answer.status_code for answer in forms] == [404] * 4
    assert get(f"{api}/api/health").json() == {"detail": "API key required"}
    wrong = get(f"{api}/api/health", headers={"X-API-Key": "wrong"})
    assert (wrong.status_code, wrong.json()["detail"]) == (401, "Invalid or expired API key")


def test_the_proxy_names_the_address_that_it_cannot_reach(api: str) -> None:
    answer = get(f"{api}/api/mlflow/health", headers={"X-API-Key": KEY})
    assert answer.status_code == 502
    assert answer.json() == {
        "detail": "Failed to connect to MLflow server at http://mlflow.hokusai.local:5000"
    }


def test_health_tells_of_dependencies_as_its_build_does(api: str) -> None:
    report = get(f"{api}/health").json()
    assert report["services"]["postgres"] == "unhealthy"
    documented = report["version"] == "2025-08-06"
    assert report["status"] == ("unhealthy" if documented else "degraded")
    assert get(f"{api}/health?detailed=true").status_code == (500 if documented else 200)


def test_the_documented_auth_build_asks_for_the_key_that_it_was_sent(
    hosts: TaskHosts, network: SmallNetwork
) -> None:
    digest = hashlib.sha256(KEY.encode()).hexdigest()
    address = "127.249.16.21"
    task = start(hosts, network, "auth:2025-08-06", address, 8000, API_KEY_HASHES=digest)
    url = f"http://{address}:8000/api/v1/keys/validate"
    body = {"service_id": "platform"}
    header = {"Authorization": f"Bearer {KEY}"}
    in_header = requests.post(url, json=body, headers=header, timeout=5)
    in_body = requests.post(url, json=body | {"api_key": KEY}, timeout=5)
    task.stop()
    assert (in_header.status_code, in_header.json()["detail"]) == (401, "API key required")
    assert in_body.status_code == 200


def run_inside(network: SmallNetwork, *argv: str) -> subprocess.CompletedProcess[str]:
    command, environment, folder = exec_argv(network.surroundings(API), VARIABLES, argv)
    return subprocess.run(
        command,
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


@pytest.mark.parametrize(
    ("argv", "code", "told"),
    [
        (("curl", "-sS", "http://nowhere.test/"), 6, "Could not resolve host: nowhere.test"),
        (("curl", "-sS", "-m1", "http://mlflow.hokusai.local:5000/"), 28, "timed out"),
        (("curl", "-sS", "http://db.test:5432/"), 7, "Failed to connect"),
        (("getent", "hosts", "api.test"), 0, API),
        (("getent", "hosts", "nowhere.test"), 2, ""),
        (("psql", "-h", "db.test", "-c", "select 1"), 2, "Connection refused"),
        (("psql", "-h", "nowhere.test", "-c", "select 1"), 2, "could not translate host name"),
        (("nc", "-z", "-w", "1", "mlflow.hokusai.local", "5000"), 1, "timed out"),
        (("sh", "-c", "echo $DB_HOST"), 0, "db.test"),
    ],
)
def test_tools_inside_a_task_see_the_tasks_network(
    network: SmallNetwork, argv: tuple[str, ...], code: int, told: str
) -> None:
    done = run_inside(network, *argv)
    assert (done.returncode, told in done.stdout + done.stderr) == (code, True), done


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (
            "import socket; socket.create_connection(('nowhere.test', 1))",
            "Name or service not known",
        ),
        ("import socket; socket.gethostbyname('empty.test')", "No address associated"),
        ("import psycopg2; psycopg2.connect(host='nowhere.test')", "could not translate host name"),
        ("import psycopg2; psycopg2.connect('host=db.test user=u')", "Connection refused"),
        (
            "import socket; socket.create_connection(('mlflow.hokusai.local', 5000), 0.5)",
            "timed out",
        ),
        (
            "import asyncio; asyncio.run(asyncio.wait_for("
            "asyncio.open_connection('mlflow.hokusai.local', 5000), 0.5))",
            "TimeoutError",
        ),
    ],
)
def test_python_inside_a_task_sees_the_tasks_network(
    network: SmallNetwork, code: str, told: str
) -> None:
    assert told in run_inside(network, "python3", "-c", code).stderr


def test_the_resolver_of_a_task_is_the_vpcs(network: SmallNetwork) -> None:
    code = (
        "import dns.resolver, pathlib; print(pathlib.Path('/etc/resolv.conf').read_text(),"
        "open('/etc/resolv.conf', 'rb').read(), open('/etc/hostname').read())"
    )
    done = run_inside(network, "python3", "-c", code)
    resolver = small_network.RESOLVER
    assert done.stdout.startswith(f"nameserver {resolver}\n b'nameserver {resolver}\\n'")


def test_the_probe_asks_that_resolver_itself(network: SmallNetwork) -> None:
    names = ("api.test", "nowhere.test", "empty.test")
    questions = [{"kind": "dns", "name": name, "deadline": 3} for name in names]
    done = run_inside(network, *in_task.command(json.dumps({"questions": questions}).encode()))
    found, nowhere, empty = json.loads(done.stdout)["answers"]
    assert (found["answers"], found["rcode"], found["ttl"]) == ([API], "NOERROR", 10)
    assert found["resolver"] == small_network.RESOLVER
    assert (nowhere["failure"]["kind"], nowhere["rcode"]) == ("dns-nxdomain", "NXDOMAIN")
    assert (empty["failure"]["kind"], empty["rcode"]) == ("dns-no-answer", "NOERROR")


def test_a_task_listens_on_its_own_address_only(network: SmallNetwork) -> None:
    code = "import socket; s = socket.create_server(('', 8099)); print(s.getsockname())"
    assert API in run_inside(network, "python3", "-c", code).stdout


def test_an_image_that_does_not_exist_is_told_as_ecs_does(
    hosts: TaskHosts, network: SmallNetwork
) -> None:
    with pytest.raises(UnknownImageError, match=r"CannotPullContainerError: .*hokusai/api:nope"):
        start(hosts, network, "api:nope", API, 8001)


def test_the_end_of_a_task_is_told_and_frees_its_port(
    hosts: TaskHosts, network: SmallNetwork
) -> None:
    address = "127.249.16.31"
    task = start(hosts, network, "auth:corrected", address, 8000)
    os.kill(task.pid, signal.SIGKILL)
    assert task.wait(5) == -signal.SIGKILL
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((address, 8000), timeout=1)


def test_tasks_end_with_their_host_and_another_host_takes_over(network: SmallNetwork) -> None:
    folder = network.folder / "other"
    folder.mkdir()
    hosts = TaskHosts(folder, folder)
    address = "127.249.16.32"
    task = start(hosts, network, "auth:corrected", address, 8000)
    parent = int(Path(f"/proc/{task.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    assert task.wait(5) is not None
    deadline = time.monotonic() + 5
    while Path(f"/proc/{task.pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    again = start(hosts, network, "auth:corrected", address, 8000)
    assert again.poll() is None
    hosts.stop()
    assert again.wait(5) is not None
