"""The AWS client: pytest's own doings do not disturb it."""

from __future__ import annotations

import botocore.endpoint
import pytest

from harness.aws.client import Clients


def test_a_client_is_made_while_the_environment_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients are made while checks run, and pytest sets and removes a variable for each check.

    The race itself cannot be had at will, so its outcome is put where it was seen.
    """
    lost = ["PYTEST_CURRENT_TEST"]
    real = botocore.endpoint.get_environ_proxies

    def going_through_the_environment(url: str) -> dict[str, str]:
        if lost:
            raise KeyError(lost.pop())
        found: dict[str, str] = real(url)
        return found

    monkeypatch.setattr(botocore.endpoint, "get_environ_proxies", going_through_the_environment)
    assert Clients("us-east-1", 1.0)._client("sts").meta.service_model.service_name == "sts"
    assert not lost
