"""IO shell: the packet rules of the node's VIPs as the agent flips them, with the lease in them.

The lease is a set element with a timeout in the kernel: an agent that is killed, frozen or hung loses the
VIPs by itself. A refused change is an alarm; the lease then ends by itself, so the failure is a safe one.
All virtual routers of a node move together, so one transaction flips all VIPs, and `shown` is about all.
"""

from collections.abc import Callable
from ipaddress import ip_address

from haagent.pipe import Setup
from netrules import Backend, Flip, LeaseLapsedError, RulesError, Ruleset, Strategy, Vip, desired


def ruleset(setup: Setup) -> Ruleset:
    """What netrules is to keep for this node; the config has checked that the routers agree."""
    first = setup.routers[0]
    vips = [
        Vip(ip_address(a.address), router.interface) for router in setup.routers for a in router.addresses
    ]
    return desired(
        Strategy(first.strategy),
        Backend(first.backend),
        vips,
        lease=first.lease is not None,
        no_accept=[
            Vip(ip_address(a.address), router.interface)
            for router in setup.routers
            if not router.accept
            for a in router.addresses
        ],
        scope=setup.group,
        below_macvlan=[router.interface for router in setup.routers if router.macvlan is not None],
    )


class NftablesRules:
    """Each change is one libnftables transaction in process."""

    def __init__(self, flip: Flip, alarm: Callable[[str], object]) -> None:
        self._flip = flip
        self._alarm = alarm
        self._alarmed = False
        self.shown = False

    @property
    def renews(self) -> bool:
        """Whether the kernel took the last renewal."""
        return not self._alarmed

    def show(self) -> None:
        """Let the VIPs' traffic pass."""
        self._try(self._flip.show)
        self.shown = True

    def hide(self) -> None:
        """Stop the VIPs' traffic."""
        self._try(self._flip.hide)
        self.shown = False

    def refresh(self) -> bool:
        """Renew the lease; False when it had ended before."""
        try:
            self._flip.refresh()
        except LeaseLapsedError:
            self.shown = False
            return False
        except RulesError as error:
            if (
                not self._alarmed
            ):  # once: it is tried again many times a second, and control repairs the rules
                self._alarm(f"the lease could not be renewed: {error}")
            self._alarmed = True
        else:
            self._alarmed = False
        return True

    def replace(self, setup: Setup, *, shown: bool) -> None:
        """Go over to the VIPs of another setup, without a gap for those that stay; raises RulesError."""
        self._flip.replace(ruleset(setup), _lease_ms(setup), shown=shown)

    def _try(self, change: Callable[[], None]) -> None:
        try:
            change()
        except RulesError as error:
            self._alarm(f"packet rules: {error}")


class RemoteRules:
    """Backend iptables: control forks the commands (13 ms and more), the guard does not wait for them."""

    def __init__(self, flip: Callable[[bool], None]) -> None:
        self._flip = flip
        self.renews = True  # there is no lease
        self.shown = False

    def show(self) -> None:
        """Have the VIPs' traffic pass."""
        self._flip(True)
        self.shown = True

    def hide(self) -> None:
        """Have the VIPs' traffic stopped."""
        self._flip(False)
        self.shown = False

    def refresh(self) -> bool:
        """There is no lease."""
        return True

    def replace(self, setup: Setup, *, shown: bool) -> None:
        """Other VIPs need a restart: the commands' gap would be seen (the config is refused before)."""


def open_rules(
    setup: Setup, *, alarm: Callable[[str], object], flip: Callable[[bool], None]
) -> NftablesRules | RemoteRules:
    """The rules of the node; `flip` asks control to do what the guard cannot."""
    if setup.routers[0].backend == Backend.IPTABLES:
        return RemoteRules(flip)
    return NftablesRules(Flip(ruleset(setup), _lease_ms(setup)), alarm)


def _lease_ms(setup: Setup) -> int:
    leases = [router.lease for router in setup.routers if router.lease is not None]
    return round(min(leases, default=0) * 1000)
