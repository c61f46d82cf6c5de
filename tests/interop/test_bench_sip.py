"""The SIP benchmark drives whole calls and registrations through Kamailio and through sipcore."""

import os
import shutil
from collections.abc import Iterator

import pytest

from bench.sip.compare import Comparison, Plan

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(shutil.which("kamailio") is None, reason="needs Debian's kamailio"),
]


@pytest.fixture(autouse=True)
def _cores() -> Iterator[None]:
    """The benchmark takes one core for itself; the tests after it have all of them again."""
    before = os.sched_getaffinity(0)
    yield
    os.sched_setaffinity(0, before)


def test_each_call_and_each_registration_ends_well_on_both_servers() -> None:
    plan = Plan(
        call_rates=(100, 0),
        register_rates=(0,),
        rounds=1,
        seconds=0.3,
        closed=60,
        users=40,
        warm_up=20,
        weigh=False,
        replication=True,
    )
    with Comparison(plan, lambda _text: None) as comparison:
        samples = list(comparison.samples())
    assert {(s.server, s.scenario) for s in samples} >= {
        ("kamailio", "call"),
        ("sipcore", "call"),
        ("kamailio", "REGISTER digest"),
        ("sipcore", "REGISTER digest"),
        ("kamailio-dmq", "call"),
        ("sipcore-standby", "call"),
        ("kamailio-dmq", "REGISTER digest"),
        ("sipcore-standby", "REGISTER digest"),
    }
    assert [(s.server, s.scenario, s.wrong) for s in samples if s.failed] == []
    assert all(s.cpu_us > 0 for s in samples)
