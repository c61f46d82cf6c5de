"""IO shell: carries out the VIP plan of one virtual router: packet rules, addresses, announcements.

Everything was built before: a step is one nftables transaction, one netlink message or one frame.
"""

import os
from collections.abc import Callable, Container
from ipaddress import ip_address
from typing import Protocol

from haagent.netlink import AddressEvent, LinkEvent, RouteSocket
from haagent.pipe import MacvlanSetup, RouterSetup
from haagent.vip.plan import Strategy, plan
from haagent.vip.step import Observed, Op, PlanRole, Step, Vip
from haagent.vrrp.socket import FrameSocket


class Rules(Protocol):
    """The packet rules of all VIPs of the node; each call is one transaction."""

    shown: bool  # as the last call has left it; set it when somebody else did more

    @property
    def renews(self) -> bool:
        """Whether the kernel took the last renewal of the lease."""

    def show(self) -> None:
        """Let the VIPs' traffic pass; with a lease, until it ends."""

    def hide(self) -> None:
        """Stop the VIPs' traffic."""

    def refresh(self) -> bool:
        """Renew the lease; False when it had ended before."""


class VipManager:
    """What the kernel holds of one router's VIPs, and the way to change it."""

    def __init__(
        self,
        setup: RouterSetup,
        *,
        rules: Rules,
        route: RouteSocket,
        frames: FrameSocket,
        alarm: Callable[[str], object],
    ) -> None:
        self._strategy = Strategy(setup.strategy)
        self._macvlan = setup.macvlan
        self._raised = None if setup.macvlan is None else False
        self._index = setup.macvlan.index if setup.macvlan is not None else setup.index
        self._rules = rules
        self._route = route
        self._frames = frames
        self._alarm = alarm
        self._know(setup)
        self._present = set(self._foreign)
        self._repairing = False
        self._role = PlanRole.BACKUP

    def _know(self, setup: RouterSetup) -> None:
        self._announcements = setup.announcements
        self._messages = {Vip(ip_address(a.address), setup.interface): a for a in setup.addresses}
        self._by_address = {vip.address: vip for vip in self._messages}
        self._foreign = frozenset(vip for vip in self._messages if str(vip.address) in setup.foreign)

    @property
    def renews(self) -> bool:
        """Whether the owner's lease can be renewed; true where there is none to renew."""
        return self._role is not PlanRole.MASTER or self._rules.renews

    @property
    def macvlan(self) -> MacvlanSetup | None:
        """The interface with the virtual MAC."""
        return self._macvlan

    @property
    def owns(self) -> bool:
        """All VIPs are here and may be used."""
        return self._rules.shown and self._raised is not False and len(self._present) == len(self._messages)

    def take(self) -> None:
        """Become the owner."""
        self._carry_out(PlanRole.MASTER)

    def release(self) -> None:
        """Stop being the owner."""
        self._carry_out(PlanRole.BACKUP)

    def release_all(self) -> None:
        """Release without knowing what the kernel holds: another process did the changes."""
        self._present = set(self._messages)
        self._raised = None if self._macvlan is None else True
        self.release()

    def on_repair(self, *, done: bool) -> None:
        """The rules are written again, hidden: then the owner shows its VIPs at once (see `Rules.shown`).

        Between the two a lease that is not there has not lapsed: its table is new.
        """
        self._repairing = not done
        if done and self._role is PlanRole.MASTER:
            self._carry_out(PlanRole.MASTER)

    def drop(self, kept: Container[str]) -> None:
        """A reload begins: the addresses of VIPs that go are removed while their rules are still there."""
        for vip in sorted(self._present - self._foreign, key=str):
            if str(vip.address) not in kept:
                self._change_address(Op.REMOVE_ADDRESS, vip)

    def restore(self) -> None:
        """The reload did not succeed: what `drop` has removed comes back."""
        if self._role is PlanRole.MASTER or self._strategy is Strategy.ON_BOTH:
            self._carry_out(self._role)

    def renew(self, setup: RouterSetup) -> None:
        """A reload ends: the rules are those of the new VIPs; a VIP that is new gets its address."""
        before = set(self._messages)
        self._know(setup)
        self._present = (self._present & set(self._messages)) | self._foreign
        if set(self._messages) != before:
            self.restore()

    def leave(self) -> None:
        """Take everything of ours out of the kernel."""
        self._carry_out(PlanRole.OUT)

    def announce(self) -> None:
        """Tell the link where the VIPs are."""
        for frame in self._announcements:
            self._frames.send(frame)

    def refresh(self) -> bool:
        """Renew the lease; False when it had lapsed: nobody can use the VIPs here."""
        return self._repairing or self._rules.refresh()

    def on_address(self, event: AddressEvent) -> bool:
        """Somebody changed an address; True when one that the owner needs has gone."""
        vip = self._by_address.get(event.address)
        if vip is None or event.index != self._index or event.port == self._route.port:
            return False
        if event.present:
            self._present.add(vip)
            return False
        self._present.discard(vip)
        return self._role is PlanRole.MASTER or self._strategy is Strategy.ON_BOTH

    def on_link(self, event: LinkEvent) -> bool:
        """The interface with the virtual MAC was set up or down; True when the owner has lost it."""
        if self._macvlan is None or event.index != self._index:
            return False
        self._raised = event.up
        return self._role is PlanRole.MASTER and not event.up

    def _carry_out(self, role: PlanRole) -> None:
        self._role = role
        observed = Observed(frozenset(self._present), self._foreign, self._rules.shown, self._raised)
        for step in plan(self._strategy, role, tuple(self._messages), observed):
            self._step(step)

    def _step(self, step: Step) -> None:
        if step.op is Op.SHOW:
            self._rules.show()
        elif step.op is Op.HIDE:
            self._rules.hide()
        elif step.op is Op.ANNOUNCE:
            self.announce()
        elif step.op in (Op.RAISE, Op.LOWER):
            self._set_link(up=step.op is Op.RAISE)
        elif step.vip is not None:
            self._change_address(step.op, step.vip)

    def _set_link(self, *, up: bool) -> None:
        macvlan = self._macvlan
        assert macvlan is not None  # the plan has such a step for it alone
        code = self._route.send(macvlan.up) if up else self._route.remove(macvlan.down)
        if code == 0:
            self._raised = up
        else:
            self._alarm(f"setting {macvlan.name} {'up' if up else 'down'} failed: {os.strerror(code)}")

    def _change_address(self, op: Op, vip: Vip) -> None:
        messages = self._messages[vip]
        if op is Op.ADD_ADDRESS:
            code = self._route.add(messages.add)
            change = self._present.add
        else:
            code = self._route.remove(messages.remove)
            change = self._present.discard
        if code == 0:
            change(vip)
        else:
            self._alarm(f"{op.name.lower()} {vip.address} on {vip.interface} failed: {os.strerror(code)}")
