"""Plain pytest with requests: what people write first; and pytest with next to nothing to do."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec

from benchmarks.command import Command
from benchmarks.contestants.suite.prepare import PASSWORD, PYTEST
from benchmarks.job import Job

HERE = Path(__file__).parent
# Only the plugins that are named are loaded: what else is installed here would slow it down.
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
ALLURE = ("-p", "allure_pytest", "--alluredir=allure-results", "--junitxml=junit.xml")
XDIST = ("-p", "xdist", "-n", "4")


def prepare(folder: Path, job: Job, *, fails: bool, options: Sequence[str] = ALLURE) -> Command:
    """Return the command that does the job, one check after another."""
    (folder / "job.json").write_bytes(msgspec.json.encode(job))
    shutil.copy(HERE / "test_job.py", folder)
    arguments = [PYTEST, "test_job.py", *options]
    return Command(arguments, folder, ALONE | PASSWORD, frozenset({1 if fails else 0}))


def empty(folder: Path) -> Command:
    """Return pytest with one empty test: the floor under everything that is a pytest."""
    (folder / "test_empty.py").write_text("def test_nothing():\n    pass\n")
    return Command([PYTEST, "test_empty.py"], folder, ALONE)


def empty_forty(folder: Path) -> Command:
    """Return 40 empty tests with Allure and JUnit: the floor under a pytest with such reports."""
    (folder / "test_empty.py").write_text(
        "import pytest\n@pytest.mark.parametrize('n', range(40))\ndef test_nothing(n):\n    pass\n"
    )
    return Command([PYTEST, "test_empty.py", *ALLURE], folder, ALONE)
