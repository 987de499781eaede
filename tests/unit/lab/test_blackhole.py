"""An address that swallows connections."""

from __future__ import annotations

import socket
import time

import pytest

from lab.blackhole import Blackhole

ADDRESS = "127.250.30.1"


def test_every_connect_times_out_until_it_is_closed() -> None:
    with Blackhole(ADDRESS, 5000):
        for _ in range(5):
            with pytest.raises(TimeoutError):
                socket.create_connection((ADDRESS, 5000), timeout=0.1)
    begun = time.monotonic()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((ADDRESS, 5000), timeout=1)
    assert time.monotonic() - begun < 0.5


def test_the_port_can_be_served_again_at_once() -> None:
    with Blackhole(ADDRESS, 5001), pytest.raises(TimeoutError):
        socket.create_connection((ADDRESS, 5001), timeout=0.1)
    with socket.create_server((ADDRESS, 5001)):
        socket.create_connection((ADDRESS, 5001), timeout=1).close()


def test_a_taken_address_is_an_error() -> None:
    with socket.create_server((ADDRESS, 5002)), pytest.raises(OSError, match="in use"):
        Blackhole(ADDRESS, 5002)
