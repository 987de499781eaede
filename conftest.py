"""Where the suite and the lab meet: ``--env local`` starts a lab if none is running."""

from __future__ import annotations

import os
import sys

import pytest

from harness.apart import head_start
from harness.plugin import companions

DEFAULT_SCENARIO = "healthy"


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Register the suite's plugins, and add the lab's option."""
    companions.register(pluginmanager, parser)
    if not head_start.is_under_way():
        # The project's own tests need it; a run of the checks has no use for what it loads.
        pluginmanager.import_plugin("pytester")
    group = parser.getgroup("hokusai")
    group.addoption(
        "--scenario",
        metavar="NAME",
        help="with --env local: the state that the lab is started in (default: healthy)",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> pytest.ExitCode | None:
    """Have a lab ready before the plugin reads the environment's settings."""
    _read_env_file(config)
    if config.getoption("--scenario") and config.getoption("--env") != "local":
        raise pytest.UsageError("--scenario is for the lab: use it with --env local")
    if not _wants_lab(config):
        return None
    try:
        _provide_lab(config)
    except KeyboardInterrupt:
        print("interrupted while the lab was starting", file=sys.stderr)
        return pytest.ExitCode.INTERRUPTED
    return None


def _read_env_file(config: pytest.Config) -> None:
    from harness import env_file
    from harness.errors import UsageError
    from harness.plugin import terminal

    try:
        config.stash[terminal.FROM_FILE] = env_file.load(config.rootpath)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def _wants_lab(config: pytest.Config) -> bool:
    return (
        config.getoption("--env") == "local"
        and not config.option.collectonly
        and not config.option.help
        and config.getoption("--replay") is None
        # A shell may have the variables of a lab already.
        and "HOKUSAI_NETWORK_CONNECT_TO" not in os.environ
    )


def _provide_lab(config: pytest.Config) -> None:
    from lab import session
    from lab.home import LabError

    wanted = config.getoption("--scenario")
    running = session.find()
    if running is not None:
        if wanted not in (None, running.scenario):
            raise pytest.UsageError(
                f"lab {running.number} runs, but in scenario {running.scenario}: end it with "
                "'python -m lab down', or leave --scenario out"
            )
        os.environ.update(running.environment)
        return
    try:
        started = session.start(wanted or DEFAULT_SCENARIO, progress=_show)
    except LabError as error:
        raise pytest.UsageError(f"the lab cannot be started: {error}") from None
    config.add_cleanup(started.stop)
    os.environ.update(started.environment)


def _show(part: str, seconds: float) -> None:
    print(f"lab: {seconds:5.1f} s  {part}", file=sys.stderr, flush=True)
