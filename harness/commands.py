"""``python -m harness``: what is done with runs that are over."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from harness import audit, env_file, environment, exit_codes
from harness.aws import credentials, iam_policy
from harness.aws.client import Clients
from harness.bundle.source import Source
from harness.errors import Missing, UsageError
from harness.probes.stage import StageError
from harness.project import ROOT, load_environment
from harness.redaction import Redactor
from harness.reports import compare, history
from harness.reports.allure import command as report

MOST_HOURS = 30 * 24


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit code (0 done, 4 usage, 6 not everything could be had)."""
    parser = argparse.ArgumentParser(prog="python -m harness", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    made = commands.add_parser("compare", help="what changed between two runs")
    made.add_argument("before", type=Path, help="an earlier run's folder")
    made.add_argument("after", type=Path, help="a later run's folder")
    made.set_defaults(run=_compare)
    made = commands.add_parser("bundle", help="collect the evidence that would be asked for")
    made.add_argument("--env", required=True, metavar="NAME", help="a file in environments/")
    made.add_argument("--hours", type=_hours, default=24, help="how far back logs go (default: 24)")
    made.add_argument("--within", type=float, default=60.0, help="seconds in all (default: 60)")
    made.add_argument("--reports", type=Path, default=Path("reports"), metavar="FOLDER")
    made.set_defaults(run=_bundle)
    made = commands.add_parser("doctor", help="what a run would lack, and what to do about it")
    made.add_argument("--env", required=True, metavar="NAME", help="a file in environments/")
    made.add_argument("--reports", type=Path, default=Path("reports"), metavar="FOLDER")
    made.set_defaults(run=_doctor)
    made = commands.add_parser("init", help="draft an environment file from an AWS account")
    made.add_argument("--env", required=True, metavar="NAME", help="the new environment's name")
    made.add_argument("--region", default=os.environ.get("AWS_REGION"), help="(AWS_REGION)")
    made.add_argument("--cluster", help="the ECS cluster, if there are several")
    made.set_defaults(run=_init)
    made = commands.add_parser("iam-policy", help="write environments/iam-policy.json anew")
    made.set_defaults(run=_iam_policy)
    made = commands.add_parser("cleanup", help="remove what write checks left behind in a crash")
    made.add_argument("--env", required=True, metavar="NAME", help="a file in environments/")
    made.add_argument("--reports", type=Path, default=Path("reports"), metavar="FOLDER")
    made.set_defaults(run=_cleanup)
    report.add(commands)
    given = parser.parse_args(arguments)
    try:
        env_file.load(ROOT)
        done: int = given.run(given)
    except (UsageError, Missing) as error:
        print(f"harness: {error}", file=sys.stderr)
        return exit_codes.USAGE
    return done


def _hours(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MOST_HOURS:
        raise argparse.ArgumentTypeError(f"whole hours from 1 to {MOST_HOURS}, not {text!r}")
    return int(text)


def _compare(given: argparse.Namespace) -> int:
    found = compare.compare(history.load(given.before), history.load(given.after))
    for each in (*found.failures, *found.causes):
        print(f"{each.change:<20} {each.id:<45} {each.before or '-'} -> {each.after or '-'}")
    print(*compare.lines(found), sep="\n")
    return exit_codes.PASSED


def _bundle(given: argparse.Namespace) -> int:
    from harness import bundle

    tested = load_environment(given.env)
    if tested.aws is None:
        raise UsageError(f"environment {tested.name} has no aws section: there is nothing to ask")
    credentials.need()
    here: Path = given.reports / tested.name
    folder = here / time.strftime("bundle-%Y%m%dT%H%M%SZ", time.gmtime())
    asked = _audit(folder)
    clients = Clients(tested.need("aws.region"), tested.limits.deadline, asked)
    source = Source(clients, tested, given.hours)
    found = bundle.collect(source, here / "latest", given.within, _tell)
    facts = {"environment": tested.name, "hours": given.hours}
    packed = bundle.write(folder, found, facts, Redactor.from_variables(os.environ))
    print(f"bundle: {folder}/index.md, packed as {packed}")
    return exit_codes.BLOCKED if any(each.lacking for each in found) else exit_codes.PASSED


def _audit(folder: Path) -> audit.Audit:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return audit.Audit(folder / audit.NAME)
    except OSError as error:
        raise UsageError(
            f"{folder}: the reports cannot be written: {error.strerror}; "
            "choose another place with --reports FOLDER"
        ) from None


def _doctor(given: argparse.Namespace) -> int:
    from harness import doctor

    redactor, lacking = Redactor.from_variables(os.environ), 0
    for line in doctor.examine(given.env, given.reports):
        print(redactor.text(str(line)), flush=True)
        lacking += not line.fine
    print(f"{lacking or 'nothing'} to do")
    return exit_codes.FAILED if lacking else exit_codes.PASSED


def _init(given: argparse.Namespace) -> int:
    from harness import new_environment

    if not given.region:
        raise UsageError("init: name the region: REGION=us-east-1, or export AWS_REGION")
    credentials.need()
    clients, folder = Clients(given.region, timeout=15.0), ROOT / "environments"
    try:
        path = new_environment.write(folder, given.env, clients, given.region, given.cluster)
    except StageError as error:
        remedy = f" ({error.failure.remedy})" if error.failure.remedy else ""
        raise UsageError(f"init: {error.failure.message}{remedy}") from None
    print(f"{path}: fill in what says REQUIRED, then make doctor ENV={given.env}")
    return exit_codes.PASSED


def _cleanup(given: argparse.Namespace) -> int:
    from harness import cleanup

    tested = load_environment(given.env)
    secret = environment.credentials(os.environ)
    secret.need_api_key()
    folder = given.reports / tested.name / time.strftime("cleanup-%Y%m%dT%H%M%SZ", time.gmtime())
    found = cleanup.remove(tested, secret, _audit(folder))
    redactor = Redactor.from_variables(os.environ)
    for line in cleanup.lines(found):
        print(f"cleanup: {redactor.text(line)}")
    return exit_codes.FAILED if found.stopped or found.left_behind else exit_codes.PASSED


def _iam_policy(_given: argparse.Namespace) -> int:
    print(iam_policy.write(ROOT / "environments"))
    return exit_codes.PASSED


def _tell(text: str) -> None:
    print(f"bundle: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
