"""Which Python the suite is set up with: stand-ins on PATH tell how quick they are."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PICK = Path(__file__).parents[3] / "scripts" / "pick_python.py"


def stand_in(folder: Path, loop_us: int | None, version: str = "3.12.1") -> str:
    """A python3 in ``folder``; with no ``loop_us``, one that the suite cannot use."""
    folder.mkdir()
    program = folder / "python3"
    able = f"case $* in *ensurepip*) echo '{program}|{folder}|{version}';; *) echo {loop_us};; esac"
    program.write_text(f"#!/bin/sh\n{able if loop_us else 'exit 1'}\n")
    program.chmod(0o755)
    return str(program)


def pick(*folders: Path) -> subprocess.CompletedProcess[str]:
    path = ":".join(map(str, folders))
    return subprocess.run(
        [sys.executable, PICK], env={"PATH": path}, capture_output=True, text=True, timeout=60
    )


def test_a_later_python_is_taken_if_it_is_much_quicker_and_that_is_told(tmp_path: Path) -> None:
    slow, quick = stand_in(tmp_path / "a", 8000), stand_in(tmp_path / "b", 4000, "3.11.2")

    picked = pick(tmp_path / "a", tmp_path / "b")

    assert picked.stdout == f"{quick}\n"
    assert f"{quick} (3.11.2) is 2.0 times as quick as {slow} (3.12.1)" in picked.stderr
    assert f"PYTHON={slow} chooses the other" in picked.stderr


def test_the_first_python_is_kept_if_no_other_is_much_quicker(tmp_path: Path) -> None:
    first = stand_in(tmp_path / "a", 4000)
    stand_in(tmp_path / "b", 3600)

    picked = pick(tmp_path / "a", tmp_path / "b")

    assert (picked.stdout, picked.stderr) == (f"{first}\n", "")


def test_a_python_that_cannot_set_the_suite_up_is_left_out(tmp_path: Path) -> None:
    stand_in(tmp_path / "a", None)
    only = stand_in(tmp_path / "b", 4000)

    assert pick(tmp_path / "a", tmp_path / "none", tmp_path / "b").stdout == f"{only}\n"


def test_without_any_it_says_so_by_its_exit_code(tmp_path: Path) -> None:
    stand_in(tmp_path / "a", None)

    picked = pick(tmp_path / "a")

    assert (picked.returncode, picked.stdout) == (1, "")


@pytest.mark.parametrize("times", [1, 2])
def test_a_python_that_path_names_more_than_once_is_one(tmp_path: Path, times: int) -> None:
    first = stand_in(tmp_path / "a", 4000)
    folders = [tmp_path / "a"] * times + [tmp_path / "a" / ".." / "a"] * times

    picked = pick(*folders)

    assert (picked.stdout, picked.stderr) == (f"{first}\n", "")
