"""Phones over TCP, TLS and WebSocket ring again as soon as there is a new master, not an hour later."""

import asyncio
from pathlib import Path

import pytest

from tests.kit.reunion import USERS, connected_phones, seconds_until_they_ring

pytestmark = [pytest.mark.root, pytest.mark.interop]


@pytest.mark.timeout(120)
def test_phones_on_connections_ring_again_at_once_after_a_power_cut(tmp_path: Path) -> None:
    with connected_phones(tmp_path) as pair:
        times = asyncio.run(seconds_until_they_ring(pair))
        assert set(times) == set(USERS)
        assert max(times.values()) < 3.0, times  # what it takes in calm: bench/reunion.py
        assert pair.b.counters()["failures"] == 0, pair.b.log()
