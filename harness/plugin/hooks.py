"""pytest's hooks, in the order in which a run goes through them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from harness import environment as environment_file
from harness import exit_codes, waivers
from harness.environment import Environment
from harness.errors import MissingSetting, UsageError
from harness.expect import CannotJudge
from harness.observation import FailureKind
from harness.plugin import (
    begin,
    gate,
    hand_off,
    interruption,
    memory,
    options,
    order,
    outcome,
    publish,
    redacting,
    selection,
    since,
    terminal,
    validate,
    waiving,
)
from harness.plugin.results import RESULT, RESULTS, NotRun, Results
from harness.plugin.run import RUN, Beginning, Blocked, Run
from harness.project import known_environments
from harness.redaction import Redactor
from harness.reports import deployment, folders, run_json, table
from harness.verdicts import CheckResult, Status

WORKER_INPUT = "hokusai"
BROKER = pytest.StashKey[str]()


def pytest_addoption(parser: pytest.Parser) -> None:
    options.add(parser)


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Wait until a failure is fixed, if that is asked for: each attempt is a run of its own."""
    try:
        validate.check_options(config)
        gate.check_options(config)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None
    if seconds := config.getoption("--wait"):
        given = [str(each) for each in config.invocation_params.args]
        return validate.wait_until_fixed(given, seconds)
    return None


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    options.register_markers(config)
    name = config.getoption("--env")
    if name is None or config.option.collectonly or config.option.help:
        return
    try:
        _configure(config, name)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


def _configure(config: pytest.Config, name: str) -> None:
    memory.collect_seldom(config)
    if config.getoption("--replay") and config.getoption("--samples") > 1:
        raise UsageError("--samples asks probes again, and a replay asks nothing: leave one out")
    given: dict[str, str] = getattr(config, "workerinput", {}).get(WORKER_INPUT, {})
    with contextlib.ExitStack() as closing:
        apart = begin.ahead(config, closing)
        project, folder = begin.load(name, apart)
        waivers.require_known(project.environment, project.data.catalogue)
        if folder is None:
            folder = Path(given["folder"]) if given else folders.new(_reports(config), name)
        begun = Beginning(
            project=project,
            credentials=environment_file.credentials(os.environ),
            redactor=Redactor.from_variables(os.environ),
            folder=folder,
            allure=_place_reports(config, folder),
            writes=selection.may_write(config, project.environment),
        )
        config.stash[RUN] = Run(
            begun=begun,
            workers=begin.workers(config, begun, apart, closing, given.get("broker")),
            closing=closing.pop_all(),
        )
    if begun.allure is not None:
        # Allure takes a while to load: a run that leaves it out does without.
        from harness.plugin.allure_report import AllureReport

        config.pluginmanager.register(AllureReport(config), "hokusai-allure")
    config.pluginmanager.register(redacting.Redacting(begun.redactor), "hokusai-redacting")
    # Filters are the whole process's, and probes run beside the checks: a warning of a library
    # that a probe is just importing must not be taken for an answer of the platform.
    config.addinivalue_line("filterwarnings", "ignore")
    config.pluginmanager.register(not_run := NotRun(config), "hokusai-not-run")
    if not given:
        config.stash[RESULTS] = results = Results(not_run)
        config.pluginmanager.register(results, "hokusai-results")


def _reports(config: pytest.Config) -> Path:
    chosen: Path | None = config.getoption("--reports")
    return chosen.absolute() if chosen else config.rootpath / "reports"


def _place_reports(config: pytest.Config, folder: Path) -> Path | None:
    """Return the folder for Allure's results, if there are any."""
    if not config.option.xmlpath and not hasattr(config, "workerinput"):
        config.option.xmlpath = str(folder / "junit.xml")
    if not getattr(config.option, "allure_report_dir", None):
        config.option.allure_report_dir = str(folder / "allure-results")
    there = config.pluginmanager.has_plugin("allure_pytest")
    return Path(config.option.allure_report_dir).absolute() if there else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of xdist where the run's folder and its broker are."""
    if (started := node.config.stash.get(RUN, None)) is None:
        return
    if (address := node.config.stash.get(BROKER, None)) is None:
        from harness.plugin import broker

        address = started.closing.enter_context(broker.serving(started.observer))
        node.config.stash[BROKER] = address
    node.workerinput[WORKER_INPUT] = {"folder": str(started.folder), "broker": address}


def pytest_sessionstart(session: pytest.Session) -> None:
    if RUN in session.config.stash:
        interruption.watch(session)


def pytest_report_header(config: pytest.Config) -> list[str]:
    started = config.stash.get(RUN, None)
    given = config.stash.get(terminal.FROM_FILE, [])
    return (
        terminal.header(started, given, writes=selection.may_write(config, started.environment))
        if started
        else []
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Judge a deployment once it is there: wait for it, before anything is observed."""
    gate.wait(session)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    checks = [item for item in items if outcome.role(item)]
    selection.require_well_formed(config, checks)
    if checks and config.getoption("--env") is None and not config.option.collectonly:
        known = ", ".join(known_environments())
        raise pytest.UsageError(f"choose the environment to test with --env NAME: {known}")
    if RUN in config.stash:
        selection.deselect_inapplicable(config, items)
        selection.deselect_writing(config, items)
        validate.deselect_others(config, items)
        gate.select(config, items)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Start every distinct probe that the selected checks need, all at once."""
    started = session.config.stash.get(RUN, None)
    if started is None:
        return
    probes, missing = selection.needed(session, started)
    if missing and session.config.getoption("--missing") == "stop":
        lines = "\n".join(f"  - {text}" for text in missing)
        message = f"the selected checks lack what they need:\n{lines}\n"
        raise pytest.UsageError(message + "(--missing=block judges the others)")
    terminal.announce(session.config, probes)
    try:
        started.observer.start(probes)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from None


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    order.begin(session)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    run = yield
    order.go_on(item.session)
    return run


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None]:
    order.make_way(item)
    with _blocking():
        return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None]:
    with _blocking():
        return (yield)


@contextlib.contextmanager
def _blocking() -> Iterator[None]:
    """Let what a check lacks block it, wherever it notices that."""
    try:
        yield
    except MissingSetting as error:
        raise Blocked(error.reason, error.remedy, FailureKind.MISSING_SETTING) from None
    except CannotJudge as error:
        raise Blocked(str(error)) from None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[Any]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    started = item.config.stash.get(RUN, None)
    if started is None:
        return report
    if isinstance(report.longrepr, str) or report.failed:
        report.longrepr = started.redactor.text(str(report.longrepr))
    decided = call.when == "call" or (call.when == "setup" and not report.passed)
    if decided and outcome.role(item):
        judged = outcome.result(item, call, started.catalogue, started.graph)
        item.stash[outcome.JUDGED] = judged
        vars(report)[RESULT] = msgspec.to_builtins(started.redactor.clean(judged))
    return report


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, Any] | None:
    judged = getattr(report, RESULT, None)
    if judged and judged["status"] == Status.BLOCKED:
        return "blocked", "B", ("BLOCKED", {"yellow": True})
    return None


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Finish the run when everybody else has; a report that cannot be written is one message."""
    try:
        yield
        _finish(session)
    except (OSError, UsageError) as error:
        if RUN not in session.config.stash:
            raise
        publish.note_unwritten(session.config, error)
        session.exitstatus = exit_codes.INTERNAL_ERROR


def _finish(session: pytest.Session) -> None:
    """Decide the exit code, and write what the run has to say."""
    config = session.config
    started, results = config.stash.get(RUN, None), config.stash.get(RESULTS, None)
    if started is None or results is None or not results.checks:
        return
    judgements = results.judgements(started.catalogue)
    session.exitstatus = decide_exit(session, int(session.exitstatus), results.checks)
    observed = started.observer.seen()
    facts = run_json.RunFacts(
        run=started.id,
        environment=started.environment.name,
        started=started.started,
        exit_code=int(session.exitstatus),
        deployed=deployment.revisions_in(observed.values()),
        vantage_points=deployment.vantage_points(observed),
        replayed=config.getoption("--replay") is not None,
    )
    diagnosis = results.diagnosis(started)
    waived = waiving.applied(started, results)
    run_json.write(started.folder, facts, results.checks, judgements, diagnosis, waived)
    since.write(config, started.folder)
    hand_off.write(config, started, results, facts)
    publish.publish(config, started, results)
    folders.link_latest(started.folder)
    # While the other process writes.
    table.get_ready()
    hand_off.settle(config)


def decide_exit(session: pytest.Session, status: int, checks: list[CheckResult]) -> int:
    """Return the run's exit code from pytest's own, the policy and what was expected."""
    config = session.config
    started = config.stash[RUN]
    if status not in (exit_codes.PASSED, exit_codes.FAILED):
        return status
    if failure := config.getoption("--validate"):
        observed = started.observer.seen()
        return validate.answer(started, config.stash[RESULTS], failure, observed).exit_code
    if config.getoption("--expect") == "reproduced":
        judgements = config.stash[RESULTS].judgements(started.catalogue)
        return terminal.reproduction_exit(started.catalogue, judgements)
    applied = waiving.applied(started, config.stash[RESULTS])
    status = waiving.decide(status, session.testsfailed, checks, applied)
    if status == exit_codes.FAILED:
        return status
    borne = waivers.covered(applied)
    must = started.environment.policy.must_judge
    unjudged = [c for c in checks if c.status is Status.BLOCKED and c.id not in borne]
    if any(check.severity in must for check in unjudged):
        return exit_codes.BLOCKED
    return status


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    started, results = config.stash.get(RUN, None), config.stash.get(RESULTS, None)
    if started and results and results.checks:
        terminal.summarise(terminalreporter, started, results, config.getoption("--expect"))
        waiving.show(terminalreporter, config, started, results)
        since.show(terminalreporter, config)
        if failure := config.getoption("--validate"):
            observed = started.observer.seen()
            found = validate.answer(started, results, failure, observed)
            validate.show(terminalreporter, found)
        publish.show(terminalreporter, started, results)


def pytest_unconfigure(config: pytest.Config) -> None:
    if (started := config.stash.get(RUN, None)) is not None:
        started.close()
        memory.keep_the_rest()


@pytest.fixture(scope="session")
def environment(request: pytest.FixtureRequest) -> Environment:
    """The environment under test."""
    return request.config.stash[RUN].environment
