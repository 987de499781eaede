"""``python -m harness.ecs_exec CLUSTER/SERVICE[/CONTAINER] -- COMMAND…``: one command in a task."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from typing import Any

from harness.ecs_exec.client import DEADLINE, EcsExec
from harness.ecs_exec.errors import EcsExecError

# As ssh and timeout(1) use them: the command itself was not run, or it was not at its end.
NOT_RUN = 255


def main(arguments: Sequence[str]) -> int:
    """Run the command; returns its exit code, or 255 with a message if it could not be run."""
    given = _read(arguments)
    names = given.target.removeprefix("ecs://").split("/")
    if len(names) not in (2, 3) or not all(names):
        print(f"{given.target}: not CLUSTER/SERVICE or CLUSTER/SERVICE/CONTAINER", file=sys.stderr)
        return NOT_RUN
    stdin = sys.stdin.buffer.read() if given.stdin else None
    try:
        task = EcsExec(_client(given.region), *names, task=given.task, plugin=given.plugin)
        answer = task.run(shlex.join(given.command), stdin, given.timeout)
    except EcsExecError as error:
        print(f"{given.target}: {error}", file=sys.stderr)
        return NOT_RUN
    sys.stdout.buffer.write(answer.stdout)
    sys.stdout.flush()
    sys.stderr.buffer.write(answer.stderr)
    return answer.status


def _read(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m harness.ecs_exec", description=__doc__)
    parser.add_argument("target", help="CLUSTER/SERVICE[/CONTAINER]")
    parser.add_argument("command", nargs="+", metavar="COMMAND", help="what to run, after --")
    parser.add_argument("--task", help="this task (id or ARN), not the newest that runs")
    parser.add_argument("--region", help="the AWS region, if not the one that is set")
    parser.add_argument("--timeout", type=float, default=DEADLINE, help="in seconds (default: 60)")
    parser.add_argument("--stdin", action="store_true", help="pass standard input on")
    parser.add_argument("--plugin", metavar="PROGRAM", help="use this session-manager-plugin")
    return parser.parse_args(arguments)


def _client(region: str | None) -> Any:
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.client("ecs", region_name=region)
    except BotoCoreError as error:
        raise EcsExecError(str(error), "give --region, or set AWS_REGION or AWS_PROFILE") from None


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
