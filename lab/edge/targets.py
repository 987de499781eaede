"""The targets of every target group: watched, and chosen from."""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence

from lab.edge import health
from lab.edge.model import ControlPlane, Forward, Pace, Target, TargetGroup, TargetHealth

Key = tuple[str, Target]
_logger = logging.getLogger(__name__)


class Targets:
    """Runs one watch for each target in use; only `described` may be called off the loop."""

    def __init__(self, control: ControlPlane, pace: Pace) -> None:
        """Nothing is watched before `reconcile`."""
        self._control = control
        self._pace = pace
        self._records: dict[Key, health.Record] = {}
        self._watches: dict[Key, asyncio.Task[None]] = {}
        self._leaving: dict[Key, float] = {}
        self._sources: dict[str, str] = {}
        self._wake = asyncio.Event()
        self._asked = 0
        self._turns: defaultdict[str, Iterator[int]] = defaultdict(itertools.count)

    def reconcile(self) -> None:
        """Watch what is registered and in use now, and nothing else."""
        self._sources = self._in_use()
        groups = {group.arn: group for group in self._control.target_groups()}
        wanted = {
            (arn, target)
            for arn, group in groups.items()
            if arn in self._sources
            for target in group.targets
        }
        for key in self._watches.keys() - wanted:
            self._forget(key, drain=key[0] in groups and key[1] not in groups[key[0]].targets)
        for key in wanted - self._watches.keys():
            self._leaving.pop(key, None)
            self._records[key] = health.Record()
            self._watches[key] = asyncio.create_task(self._watch(key))

    def check_now(self) -> None:
        """Let every watch check at once instead of at its next turn."""
        self._asked += 1
        self._wake.set()
        self._wake = asyncio.Event()

    def settled(self) -> bool:
        """Whether every target was checked since it was last asked for, and its state agrees."""
        return all(
            record.checked >= self._asked and record.settled()
            for record in self._records.copy().values()
        )

    async def stop(self) -> None:
        """End every watch."""
        watches = list(self._watches.values())
        self._watches.clear()
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)

    def described(self, group_arn: str) -> tuple[TargetHealth, ...]:
        """DescribeTargetHealth: the targets registered now, then draining ones."""
        group = self._control.target_group(group_arn)
        if group is None:
            return ()
        in_use = group_arn in self._sources
        found = [self._shown(group_arn, target, in_use) for target in group.targets]
        now = time.monotonic()
        for (arn, target), until in sorted(self._leaving.copy().items()):
            if arn == group_arn and until > now and target not in group.targets:
                found.append(health.draining(target))
        return tuple(found)

    def pick(self, action: Forward) -> tuple[TargetGroup | None, Target | None]:
        """The group by weight, then its targets in turn; no target when none can serve.

        Only healthy ones; when none is healthy and at least one is unhealthy, all: AWS fails open.
        """
        group = self._group(action.target_groups)
        if group is None:
            return None, None
        states = {target: self._records.get((group.arn, target)) for target in group.targets}
        able = [each for each, record in states.items() if record and record.state == "healthy"]
        if not able and any(record and record.state == "unhealthy" for record in states.values()):
            able = list(states)
        return group, able[next(self._turns[group.arn]) % len(able)] if able else None

    def _group(self, weighted: Sequence[tuple[str, int]]) -> TargetGroup | None:
        arns, weights = [arn for arn, _ in weighted], [weight for _, weight in weighted]
        if not any(weights):
            return None
        chosen = arns[0] if len(arns) == 1 else random.choices(arns, weights)[0]  # noqa: S311
        return self._control.target_group(chosen)

    def _shown(self, group_arn: str, target: Target, in_use: bool) -> TargetHealth:
        record = self._records.get((group_arn, target))
        if not in_use:
            return health.unused(target)
        return health.registering(target) if record is None else record.shown(target)

    def _in_use(self) -> dict[str, str]:
        """Target group in use → the address of the load balancer that checks it."""
        return {
            arn: balancer.address
            for balancer in self._control.load_balancers()
            for listener in balancer.listeners
            for rule in listener.rules
            if isinstance(rule.action, Forward)
            for arn, _ in rule.action.target_groups
        }

    def _forget(self, key: Key, *, drain: bool) -> None:
        self._watches.pop(key).cancel()
        self._records.pop(key, None)
        if drain:
            self._leaving[key] = time.monotonic() + self._pace.draining

    async def _watch(self, key: Key) -> None:
        record = self._records[key]
        while True:
            asked = self._asked
            group = self._control.target_group(key[0])
            if group is not None:
                await self._check(key, record, group)
            record.checked = asked
            # A check that was under way when it was asked for may have seen the old state.
            if asked == self._asked:
                await self._pause(record, group)

    async def _check(self, key: Key, record: health.Record, group: TargetGroup) -> None:
        arn, target = key
        try:
            finding = await health.check(
                self._control, self._sources[arn], group, target, self._pace
            )
            record.note(finding, group.health_check, self._pace.registration)
        except Exception:
            # The watch must go on; likely the control plane holds a value that AWS would refuse.
            _logger.exception("health check of %s:%s", target.address, target.port)

    async def _pause(self, record: health.Record, group: TargetGroup | None) -> None:
        seconds = self._pace.settling
        if group is not None and record.settled():
            seconds = min(group.health_check.interval, self._pace.interval)
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
