"""AWS asked from a process of its own: the same answers, the same errors, and it never hangs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.unit.harness import servers

ROOT = Path(__file__).parents[3]


def told(script: str, **variables: str) -> str:
    """Run a script in a process without threads, as a run begins; returns what it prints."""
    given = {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "a-secret-of-nobody",
        "PATH": os.environ["PATH"],
    }
    done = subprocess.run(
        [sys.executable, "-c", PREAMBLE + textwrap.dedent(script)], cwd=ROOT,
        env=given | variables, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


PREAMBLE = """
import os, signal, threading
from harness.aws import apart
from harness.probes.stage import StageError
"""


def aws(body: object, status: str = "200 OK") -> bytes:
    kind = "content-type: application/x-amz-json-1.1"
    return servers.http_answer(status, json.dumps(body).encode(), kind)


def test_it_answers_as_clients_in_this_process_do() -> None:
    answer = aws({"taskArns": ["arn:1"]})
    with servers.serving(servers.answering(answer, [])) as port:
        printed = told(
            """
            with apart.clients("us-east-1", 5.0) as clients:
                print(type(clients).__name__, clients.read("ecs", "list_tasks"))
                print(clients.entering().list_tasks())
            """,
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        )
    assert printed.splitlines() == [
        "ClientsApart {'taskArns': ['arn:1']}",
        "{'taskArns': ['arn:1']}",
    ]


def test_errors_keep_their_kind_their_words_and_their_remedy() -> None:
    refusal = {"__type": "AccessDeniedException", "message": "said by AWS"}
    answer = aws(refusal, "400 Bad Request")
    with servers.serving(servers.answering(answer, [])) as port:
        printed = told(
            """
            with apart.clients("us-east-1", 5.0) as clients:
                try:
                    clients.read("ecs", "list_tasks")
                except StageError as error:
                    print(error.failure.kind, error.failure.message, error.failure.remedy)
                from botocore.exceptions import ClientError
                try:
                    clients.entering().list_tasks(cluster="c")
                except ClientError as error:
                    print(error.response["Error"]["Code"])
            """,
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        )
    first, second = printed.splitlines()
    assert first.startswith("not-permitted ecs:ListTasks: AccessDeniedException: said by AWS")
    assert "allow ecs:ListTasks" in first
    assert second == "AccessDeniedException"


def test_a_write_is_refused() -> None:
    printed = told(
        """
        with apart.clients("us-east-1", 5.0) as clients:
            try:
                clients.read("ecs", "update_service", service="api")
            except StageError as error:
                print(error.failure.message)
        """
    )
    assert printed == "ecs:update_service is not on the list of read operations"


def test_with_threads_alive_nothing_is_forked() -> None:
    printed = told(
        """
        threading.Thread(target=threading.Event().wait, args=(20,), daemon=True).start()
        with apart.clients("us-east-1", 5.0) as clients:
            print(type(clients).__name__)
        """
    )
    assert printed == "Clients"


def test_questions_end_with_the_process_that_would_answer() -> None:
    with servers.serving(servers.silent) as port:
        printed = told(
            """
            real = os.fork
            def fork():
                global child
                child = real()
                return child
            os.fork = fork
            with apart.clients("us-east-1", 20.0) as clients:
                ending = threading.Timer(0.5, lambda: os.kill(child, signal.SIGKILL))
                ending.start()
                for _ in range(2):
                    try:
                        clients.read("ecs", "list_tasks")
                    except StageError as error:
                        print(error.failure.kind, error.failure.message)
                ending.join()
            """,
            AWS_ENDPOINT_URL=f"http://127.0.0.1:{port}",
        )
    assert printed.splitlines() == ["internal-error the process that asks AWS has ended"] * 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_it_does_not_outlive_the_run(number: signal.Signals) -> None:
    script = PREAMBLE + textwrap.dedent(
        """
        real = os.fork
        def fork():
            if child := real():
                print(child, flush=True)
            return child
        os.fork = fork
        with apart.clients("us-east-1", 5.0):
            signal.pause()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, process_group=0,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        int(process.stdout.readline())
        process.send_signal(number)
        # Both processes hold the pipe: its end is the end of both.
        assert process.stdout.read() == ""
