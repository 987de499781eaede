"""One small platform for all tests of the control plane: each leaves it as it found it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.lab import small_platform
from tests.unit.lab.small_platform import SmallPlatform


@pytest.fixture(scope="session")
def shared_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallPlatform]:
    with small_platform.running(tmp_path_factory.mktemp("platform")) as made:
        made.settle()
        yield made


@pytest.fixture
def platform(shared_platform: SmallPlatform) -> SmallPlatform:
    """The shared platform, at rest."""
    shared_platform.settle()
    return shared_platform
