from __future__ import annotations

import asyncio
import threading
import time

from harness.collector import Collector, in_thread
from harness.observation import FailureKind, Observation, TcpObservation
from harness.specs import Probe, TcpProbe


class Asker:
    """Counts what it is asked, and answers when told to."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.batches: list[list[str]] = []
        self.together = asyncio.Event()
        self.expected = 0

    async def ask(self, probe: Probe) -> Observation:
        assert isinstance(probe, TcpProbe)
        self.asked.append(probe.host)
        if len(self.asked) >= self.expected:
            self.together.set()
        await asyncio.wait_for(self.together.wait(), 5)
        if probe.host == "broken":
            raise RuntimeError("a mistake")
        return TcpObservation(host=probe.host)

    async def ask_task(self, service: str, probes: list[Probe]) -> list[Observation]:
        self.batches.append([service, *(probe.label for probe in probes)])
        return [TcpObservation(host=service) for _ in probes]


def collector(asker: Asker) -> Collector:
    return Collector(asker, lambda observation: observation)


def tcp(host: str, vantage: str = "runner") -> TcpProbe:
    return TcpProbe(host=host, port="1", vantage=vantage)


def test_all_probes_are_under_way_at_once_and_equal_ones_only_once() -> None:
    asker = Asker()
    asker.expected = 3
    under_test = collector(asker)
    under_test.start([tcp("a"), tcp("b"), tcp("a"), tcp("c")])
    seen = [under_test.observation(tcp(host)) for host in ("a", "b", "c", "a")]
    under_test.close()
    assert sorted(asker.asked) == ["a", "b", "c"]
    assert [o.probe for o in seen[:1]] == [tcp("a").key]
    assert seen[0].label == tcp("a").label


def test_the_probes_of_a_task_go_as_one_session() -> None:
    asker = Asker()
    under_test = collector(asker)
    under_test.start([tcp("a", "task:api"), tcp("b", "task:api"), tcp("c", "task:mlflow")])
    under_test.observation(tcp("b", "task:api"))
    under_test.observation(tcp("c", "task:mlflow"))
    under_test.close()
    assert sorted(batch[0] for batch in asker.batches) == ["api", "mlflow"]


def test_a_probe_that_breaks_is_an_observation_not_a_crash() -> None:
    under_test = collector(Asker())
    seen = under_test.observation(tcp("broken"))
    under_test.close()
    assert seen.failure is not None
    assert seen.failure.kind == FailureKind.INTERNAL_ERROR
    assert seen.failure.unjudgeable


def test_what_cannot_be_kept_is_an_observation_too_and_says_nothing_of_what_was_seen() -> None:
    def refusing(observation: Observation) -> Observation:
        raise ValueError(f"cannot keep {observation}")

    under_test = Collector(Asker(), refusing)
    seen = under_test.observation(tcp("a-secret-host"))
    under_test.close()
    assert seen.probe == tcp("a-secret-host").key
    assert seen.failure is not None
    assert seen.failure.kind is FailureKind.INTERNAL_ERROR
    assert "cannot be kept: ValueError at test_collector.py" in seen.failure.message
    assert "secret" not in seen.failure.message


def test_blocking_work_is_left_behind_at_its_deadline() -> None:
    release = threading.Event()

    async def run() -> float:
        begun = time.monotonic()
        try:
            await in_thread(lambda: release.wait(30), 0.1)
        except TimeoutError:
            return time.monotonic() - begun
        raise AssertionError("it did not end")

    assert asyncio.run(run()) < 5
    release.set()
