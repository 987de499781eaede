"""``.env``: read where there is one, behind what the shell has set, and never shown."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness import env_file
from harness.errors import UsageError

ROOT = Path(__file__).parents[3]


def test_variables_are_taken_as_they_stand(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "# for prod\nexport HOKUSAI_API_KEY='k$HOME#1'\nAWS_PROFILE=acceptance\n\nAWS_REGION=\n"
    )
    variables = {"AWS_PROFILE": "set by the shell"}
    assert env_file.load(tmp_path, variables) == ["AWS_REGION", "HOKUSAI_API_KEY"]
    assert variables == {
        "AWS_PROFILE": "set by the shell",
        "HOKUSAI_API_KEY": "k$HOME#1",
        "AWS_REGION": "",
    }


def test_without_a_file_nothing_happens(tmp_path: Path) -> None:
    assert env_file.load(tmp_path, {}) == []


def test_a_line_that_is_none_is_named_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=1\nthis is =secret\n")
    with pytest.raises(UsageError, match=r"\.env, line 2: not NAME=value") as told:
        env_file.load(tmp_path, {})
    assert "secret" not in str(told.value)


def test_a_file_of_another_encoding_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"A=\xff\xfe\n")
    with pytest.raises(UsageError, match=r"\.env: cannot be read"):
        env_file.load(tmp_path, {})


def test_git_does_not_take_it() -> None:
    asked = subprocess.run(["git", "check-ignore", "-q", ".env"], cwd=ROOT, check=False, timeout=20)
    assert asked.returncode == 0


def test_the_suite_reads_it_and_says_which_variables(tmp_path: Path) -> None:
    for name in ("conftest.py", "pytest.ini", "harness", "environments", "failures", "causes"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "acceptance").mkdir()
    (tmp_path / ".env").write_text("HOKUSAI_REGISTRY_URL=no-url-at-all\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--env", "dev"], cwd=tmp_path, capture_output=True,
        text=True, timeout=60, check=False, env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.returncode == 4
    assert "HOKUSAI_REGISTRY_URL" in done.stderr
