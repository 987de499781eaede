"""Child processes: their environment, their end, and that none outlives its parent."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from lab.process import ExitedError, clean_environment, start

REPOSITORY = Path(__file__).resolve().parents[3]


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def gone(pid: int, seconds: float = 3.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
    return False


def test_a_child_sees_only_the_environment_given(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = start(
        python("import os; print(sorted(os.environ))"), log=log, environment={"ONLY": "this"}
    )
    assert child.stop(timeout=5, number=signal.SIGCONT) == 0
    assert "ONLY" in log.read_text()
    assert "HOME" not in log.read_text()


def test_nothing_that_redirects_or_trusts_or_authenticates_is_inherited() -> None:
    names = ("AWS_PROFILE", "https_proxy", "REQUESTS_CA_BUNDLE", "PGHOST", "PYTHONPATH")
    dirty = dict.fromkeys(names, "x")
    kept = {"PATH": "/bin", "HOME": "/h"}
    assert clean_environment({**dirty, **kept, "PYTHONDONTWRITEBYTECODE": "1"}) == kept


def test_a_child_that_ignores_the_request_is_killed_with_its_own_children(tmp_path: Path) -> None:
    code = (
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(os.fork(), flush=True); time.sleep(60)"
    )
    child = start(python(code), log=tmp_path / "log", environment={})
    deadline = time.monotonic() + 5
    while len(said := (tmp_path / "log").read_text().split()) < 2:
        assert time.monotonic() < deadline
    assert child.stop(timeout=0.1) == -signal.SIGKILL
    assert gone(max(int(pid) for pid in said))


def test_a_port_is_not_trusted_when_the_child_has_ended(tmp_path: Path) -> None:
    with socket.create_server(("127.250.31.1", 5000)):
        child = start(
            python("print('no'); raise SystemExit(3)"), log=tmp_path / "l", environment={}
        )
        deadline = time.monotonic() + 5
        while child.poll() is None:
            assert time.monotonic() < deadline
        with pytest.raises(ExitedError, match=r"status 3: no"):
            child.wait_listening("127.250.31.1", 5000, timeout=5)


def test_waiting_for_a_port_is_bounded_and_says_what_it_saw(tmp_path: Path) -> None:
    child = start(python("import time; time.sleep(60)"), log=tmp_path / "log", environment={})
    try:
        with pytest.raises(TimeoutError, match="refused"):
            child.wait_listening("127.250.31.2", 5000, timeout=0.1)
    finally:
        child.stop()


def test_a_child_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    children = []
    code = "import time; time.sleep(60)"
    thread = threading.Thread(
        target=lambda: children.append(start(python(code), log=tmp_path / "l", environment={}))
    )
    thread.start()
    thread.join()
    with pytest.raises(TimeoutError):
        children[0].wait_listening("127.250.31.2", 5001, timeout=0.2)
    assert children[0].stop() == -signal.SIGTERM


def test_no_child_outlives_a_killed_parent(tmp_path: Path) -> None:
    code = f"""
import os, signal, sys
from pathlib import Path
from lab.process import start
sleeping = [sys.executable, "-c", "import time; time.sleep(60)"]
child = start(sleeping, log=Path({str(tmp_path / "log")!r}), environment={{}})
print(child.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run(
        python(code), cwd=REPOSITORY, capture_output=True, text=True, timeout=20, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert gone(int(done.stdout))


def test_a_program_that_does_not_exist_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no-such-program"):
        start(["no-such-program"], log=tmp_path / "log", environment={})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root switches the user")
def test_another_user_is_bound_to_our_life_as_well(tmp_path: Path) -> None:
    child = start(["/bin/sleep", "60"], log=tmp_path / "log", environment={}, user=65534)
    try:
        deadline = time.monotonic() + 5
        while psutil.Process(child.pid).name() != "sleep":
            assert time.monotonic() < deadline
        assert set(psutil.Process(child.pid).uids()) == {65534}
    finally:
        assert child.stop() == -signal.SIGTERM
