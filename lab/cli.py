"""`python -m lab`: labs by hand."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from lab import home, session
from lab.addresses import NUMBERS
from lab.home import LabError, Record
from lab.inside import ask

OK, FAILED, USAGE, INTERRUPTED = 0, 1, 2, 130
_END_WITHIN = 20.0
_TAIL_LINES = 20
_CHANGE_WITHIN = 60.0


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code (0 done, 1 failed, 2 usage, 130 interrupted)."""
    parser = _parser()
    given = parser.parse_args(arguments)
    run: Callable[[argparse.Namespace], int] = given.run
    try:
        return run(given)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print("lab: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        return FAILED


def _up(given: argparse.Namespace) -> int:
    _process, environment, number = session.launch(given.scenario, given.lab, _show)
    print(f"lab {number} runs ({given.scenario}); {_DOWN.format(number=number)}", file=sys.stderr)
    print(environment["AWS_ENDPOINT_URL"])
    return OK


def _run(given: argparse.Namespace) -> int:
    with session.start(given.scenario, number=given.lab, progress=_show) as lab:
        _introduce(lab.number, given.scenario, lab.environment)
        try:
            signal.pause()
        except KeyboardInterrupt:
            print("\nlab: ending", file=sys.stderr)
    return OK


def _down(given: argparse.Namespace) -> int:
    records = home.running()
    chosen = records if given.all else [_one(given.lab)]
    if not chosen:
        print("no lab runs", file=sys.stderr)
    for record in chosen:
        os.kill(record.pid, signal.SIGTERM)
    for record in chosen:
        _wait_for_end(record)
        print(f"lab {record.number} has ended", file=sys.stderr)
    return OK


def _status(_given: argparse.Namespace) -> int:
    records = home.running()
    for record in records:
        print(f"lab {record.number}: {record.scenario}, process {record.pid}, logs {record.logs}")
        for line in _services(record):
            print(f"  {line}")
    if not records:
        print("no lab runs", file=sys.stderr)
    return OK if records else FAILED


def _env(given: argparse.Namespace) -> int:
    environment = _one(given.lab).environment
    if given.json:
        print(json.dumps(environment, indent=2))
    else:
        for name, value in environment.items():
            print(f"export {name}={shlex.quote(value)}")
    return OK


def _logs(given: argparse.Namespace) -> int:
    folder = Path(_one(given.lab).logs)
    for path in sorted(folder.iterdir()):
        if given.part in path.name and path.stat().st_size:
            print(f"==> {path} <==")
            lines = path.read_text(errors="replace").splitlines()
            print("\n".join(lines[-given.lines :]))
    return OK


def _fault(given: argparse.Namespace) -> int:
    from lab import faults

    if given.action == "list":
        for fault in faults.everything().values():
            print(f"{fault.name:<45} {fault.summary}")
        return OK
    record = _one(given.lab)
    try:
        named = [faults.find(name).name for name in given.names]
    except LookupError as error:
        raise LabError(f"{error.args[0]}; 'python -m lab fault list' shows them all") from None
    question = {"ask": "fault", "action": given.action, "names": named}
    answer = ask(Path(record.folder), question, patience=_CHANGE_WITHIN)
    if "error" in answer:
        raise LabError(answer["error"])
    done = "healed" if given.action == "heal" else "applied"
    rest = "settled" if answer["settled"] else "not settled"
    print(f"{done}: {', '.join(named)}; {rest} after {answer['seconds']:.1f} s", file=sys.stderr)
    return OK


def _serve(given: argparse.Namespace) -> int:
    """The lab's own process; see lab.session.launch."""
    from lab.supervisor import Order, run

    order = json.loads(given.order)
    report = order["report"]

    def announce(message: dict[str, object]) -> None:
        # Nobody may listen any more: a lab in the background outlives whoever started it.
        try:
            os.write(report, json.dumps(message).encode() + b"\n")
        except BrokenPipeError:
            return

    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        run(Order(order["scenario"], order["number"]), announce, order["leash"])
    except Exception as error:
        announce({"error": str(error) or type(error).__name__})
        return FAILED
    return OK


def _services(record: Record) -> list[str]:
    answer = ask(Path(record.folder), {"ask": "status"})
    if "error" in answer:
        return [answer["error"]]
    shown = []
    for each in answer["services"]:
        rollout = each["deployments"][0]["rolloutState"]
        counts = f"{each['runningCount']}/{each['desiredCount']} running"
        definition = each["taskDefinition"].rpartition("/")[2]
        shown.append(f"{each['serviceName']}: {counts}, {rollout}, {definition}")
    return shown


def _one(number: int | None) -> Record:
    found = [each for each in home.running() if number in (None, each.number)]
    if len(found) == 1:
        return found[0]
    if number is not None:
        raise LabError(f"lab {number} does not run")
    if not found:
        raise LabError("no lab runs; start one with 'python -m lab up'")
    numbers = ", ".join(str(each.number) for each in found)
    raise LabError(f"several labs run ({numbers}); choose one with --lab")


def _wait_for_end(record: Record) -> None:
    deadline = time.monotonic() + _END_WITHIN
    while record.alive:
        if time.monotonic() > deadline:
            os.kill(record.pid, signal.SIGKILL)
            raise LabError(f"lab {record.number} did not end within {_END_WITHIN:.0f} s: killed")
        time.sleep(0.02)
    home.running()  # removes what a killed lab has left


_DOWN = "'python -m lab down --lab {number}' ends it"


def _show(part: str, seconds: float) -> None:
    print(f"  {seconds:6.2f} s  {part}", file=sys.stderr)


def _introduce(number: int, scenario: str, environment: dict[str, str]) -> None:
    print(f"""
Lab {number} runs: {scenario}. Ctrl-C ends it.

  AWS endpoint   {environment["AWS_ENDPOINT_URL"]}
  DNS            {environment["HOKUSAI_NETWORK_RESOLVER"]}
  certificates   {environment["HOKUSAI_TLS_CA_BUNDLE"]}

  In another terminal:
    eval "$(python -m lab env --lab {number})"    for the aws CLI, boto3 and pytest
    pytest --env local                        judge it
    python -m lab status                      what runs in it
    python -m lab exec --lab {number} api -- curl -s http://mlflow.hokusai.local:5000/health
    python -m lab logs --lab {number}             what its parts have said
""")


def _number(text: str) -> int:
    number = int(text) if text.isdecimal() else -1
    if number not in NUMBERS:
        wanted = f"a lab has a number from {NUMBERS[0]} to {NUMBERS[-1]}"
        raise argparse.ArgumentTypeError(f"{wanted}, not '{text}'")
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description="Labs by hand.")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int], text: str | None
    ) -> argparse.ArgumentParser:
        # Without a help text a command is not listed.
        made = commands.add_parser(name, help=text) if text else commands.add_parser(name)
        made.set_defaults(run=run)
        made.add_argument("--lab", type=_number, metavar="N", help="the lab's number (20..250)")
        return made

    for name, run, text in (
        ("up", _up, "start a lab in the background; returns when it is ready"),
        ("run", _run, "run a lab in the foreground until Ctrl-C"),
    ):
        made = command(name, run, text)
        made.add_argument("--scenario", default="healthy", help="default: healthy")
    command("down", _down, "end a lab").add_argument(
        "--all", action="store_true", help="end every lab of this checkout"
    )
    command("status", _status, "which labs run, and what in them (exit code 1: none)")
    command("env", _env, "print a lab's settings as shell exports").add_argument(
        "--json", action="store_true", help="as JSON"
    )
    logs = command("logs", _logs, "print the end of the logs of a lab's parts")
    logs.add_argument("part", nargs="?", default="", help="only logs with this in their name")
    logs.add_argument("--lines", type=int, default=_TAIL_LINES, metavar="COUNT")
    commands.add_parser("exec", help="run a command in a task: exec --lab N SERVICE -- COMMAND…")
    fault = commands.add_parser("fault", help="list faults, put them in, heal them")
    actions = fault.add_subparsers(metavar="ACTION", required=True, dest="action")
    actions.add_parser("list", help="every fault, with what is wrong in one sentence")
    for action, text in (("apply", "put faults into a running lab"), ("heal", "undo them")):
        made = actions.add_parser(action, help=text)
        made.add_argument("names", nargs="+", metavar="NAME")
        made.add_argument("--lab", type=_number, metavar="N", help="the lab's number (20..250)")
    fault.set_defaults(run=_fault)
    command("serve", _serve, None).add_argument("order")
    return parser
