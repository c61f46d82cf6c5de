"""When the machine's watchdog is fed, and when it starves."""

import pytest

from haagent.config import load
from haagent.errors import ConfigError
from haagent.vip.lease import NftablesRules
from haagent.watchdog.feeding import Feeding
from netrules import Flip, LeaseLapsedError, RulesError

CONFIG = """
node = "a"
[[virtual_router]]
name = "sip"
vrid = 51
interface = "eth0"
priority = 100
vips = ["192.0.2.100"]
"""


def test_it_is_fed_while_the_guard_reports() -> None:
    feeding = Feeding(20.0, now=100.0)
    for now in (101.0, 105.0, 109.0):
        feeding.on_report(lease_renews=True, now=now)
        assert feeding.refusal(now + 4.9) is None


def test_it_starves_a_quarter_of_the_timeout_after_the_guard_fell_silent() -> None:
    feeding = Feeding(20.0, now=100.0)
    feeding.on_report(lease_renews=True, now=101.0)
    assert feeding.refusal(106.1) == "the guard has not reported for 5.1 s"


def test_a_guard_that_never_speaks_has_one_timeout() -> None:
    feeding = Feeding(20.0, now=100.0)
    assert feeding.refusal(119.9) is None
    assert feeding.refusal(120.1) is not None


def test_it_starves_while_the_lease_cannot_be_renewed() -> None:
    feeding = Feeding(20.0, now=100.0)
    feeding.on_report(lease_renews=False, now=101.0)
    assert feeding.refusal(101.0) == "the lease cannot be renewed"
    feeding.on_report(lease_renews=True, now=102.0)
    assert feeding.refusal(102.0) is None


class Kernel(Flip):
    """Packet rules that take a renewal, or do not."""

    def __init__(self) -> None:
        self.error: RulesError | None = None

    def show(self) -> None:
        """Nothing to see."""

    def hide(self) -> None:
        """Nothing to see."""

    def refresh(self) -> None:
        """As it is told."""
        if self.error is not None:
            raise self.error


def test_a_renewal_that_the_kernel_refuses_is_known_until_it_takes_one() -> None:
    kernel, alarms = Kernel(), list[str]()
    rules = NftablesRules(kernel, alarms.append)
    assert rules.renews
    kernel.error = RulesError("no such table")
    rules.refresh()
    assert not rules.renews
    kernel.error = None
    rules.refresh()
    assert rules.renews
    assert alarms == ["the lease could not be renewed: no such table"]


def test_a_lease_that_has_lapsed_can_be_taken_again() -> None:
    kernel = Kernel()
    rules = NftablesRules(kernel, list[str]().append)
    kernel.error = LeaseLapsedError("late")
    assert not rules.refresh()
    assert rules.renews


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('timeout = "4s"', "watchdog.timeout: 4s is not in 5s..600s"),
        ('timeout = "11m"', "watchdog.timeout: 660s is not in 5s..600s"),
        ('device = "watchdog"', "watchdog.device: 'watchdog' is not an absolute path"),
    ],
)
def test_wrong_values_are_named_with_their_limit(table: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words.replace(".", r"\.")):
        load(f"{CONFIG}[watchdog]\n{table}\n")


def test_without_the_table_there_is_no_watchdog() -> None:
    assert load(CONFIG).watchdog is None
