"""Sections of the control plane: what is asked one by one is asked side by side."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from harness.aws.sections import SECTIONS, At
from harness.aws.side_by_side import AT_ONCE, side_by_side
from harness.observation import FailureKind
from harness.probes.stage import StageError
from tests.unit.bundle import reading

WITHIN_S = 10.0


def test_the_targets_of_all_groups_are_asked_for_at_once() -> None:
    met = threading.Barrier(3, timeout=WITHIN_S)

    def health(TargetGroupArn: str) -> dict[str, Any]:
        met.wait()  # nobody is answered before all have asked
        return {"TargetHealthDescriptions": [TargetGroupArn]}

    source = reading.source({"elbv2.describe_target_health": health})
    groups = {"TargetGroups": [{"TargetGroupArn": arn} for arn in ("arn:b", "arn:a", "arn:c")]}
    read = SECTIONS["target-health"].read
    found = read(At(source.clients, source.environment, {"target-groups": groups}))
    assert list(found.items()) == [(arn, [arn]) for arn in ("arn:b", "arn:a", "arn:c")]


def test_no_more_are_asked_at_once_than_aws_bears() -> None:
    counting, asking, most = threading.Lock(), 0, 0
    full = threading.Event()

    def ask(item: str) -> str:
        nonlocal asking, most
        with counting:
            asking += 1
            most = max(most, asking)
            if asking == AT_ONCE:
                full.set()
        assert full.wait(WITHIN_S)
        with counting:
            asking -= 1
        return item

    items = [str(number) for number in range(3 * AT_ONCE)]
    assert list(side_by_side(ask, items)) == items
    assert most == AT_ONCE


def test_what_one_cannot_be_told_is_the_sections_failure() -> None:
    def rules(ListenerArn: str) -> dict[str, Any]:
        if ListenerArn == "arn:2":
            raise StageError(FailureKind.NOT_PERMITTED, "said by AWS")
        return {"Rules": []}

    source = reading.source({"elbv2.describe_rules": rules})
    listeners = {"arn:lb": [{"ListenerArn": f"arn:{number}"} for number in (1, 2, 3)]}
    at = At(source.clients, source.environment, {"listeners": listeners})
    with pytest.raises(StageError) as raised:
        SECTIONS["rules"].read(at)
    assert raised.value.failure.message == "said by AWS"


def test_nothing_to_ask_is_nothing() -> None:
    assert side_by_side(str, []) == {}
