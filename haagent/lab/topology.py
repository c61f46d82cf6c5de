"""IO shell: the laboratory's network: a switch with two bridges, nodes a and b, and a client.

client eth0 ---+           lan  10.88.0.0/24 fd88::/64
a eth0 --------+-- [lan]         a .11, b .12, client .13, VIP .100
b eth0 --------+
a sync0 -------+-- [sync]  sync 10.89.0.0/24: the second path
b sync0 -------+
"""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from haagent.lab.errors import LabError
from haagent.lab.namespaces import Host

VIP = "10.88.0.100"
VIP6 = "fd88::100"
NODES = ("a", "b")
Wire = Literal["lan", "sync"]


@dataclass(frozen=True)
class Port:
    """One end of a cable: an interface on a host, and where it is plugged in."""

    host: str
    interface: str
    wire: Wire
    mac: str
    addresses: tuple[str, ...]

    @property
    def plug(self) -> str:
        """The name of the switch's end."""
        return f"{self.host}-{self.wire}"


PORTS = (
    Port("a", "eth0", "lan", "02:88:00:00:00:0a", ("10.88.0.11/24", "fd88::11/64")),
    Port("b", "eth0", "lan", "02:88:00:00:00:0b", ("10.88.0.12/24", "fd88::12/64")),
    Port("client", "eth0", "lan", "02:88:00:00:00:0c", ("10.88.0.13/24", "fd88::13/64")),
    Port("a", "sync0", "sync", "02:89:00:00:00:0a", ("10.89.0.11/24",)),
    Port("b", "sync0", "sync", "02:89:00:00:00:0b", ("10.89.0.12/24",)),
)
OWNER = {bytes.fromhex(port.mac.replace(":", "")): port.host for port in PORTS if port.wire == "lan"}


def address(host: str, wire: Wire = "lan") -> str:
    """A host's IPv4 address on a wire."""
    for port in PORTS:
        if port.host == host and port.wire == wire:
            return port.addresses[0].partition("/")[0]
    raise LabError(f"host {host} is not on {wire}")


class Lan:
    """The hosts and the cables between them; a context manager that leaves nothing behind."""

    def __init__(self) -> None:
        self.hosts: dict[str, Host] = {}
        self._stack = ExitStack()
        self._switch: Any = None  # pyroute2 has no types
        self._plugs: dict[str, int] = {}

    def __enter__(self) -> Self:
        try:
            self._build()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        self._stack.close()

    def plug(self, host: str, *wires: Wire) -> None:
        """Plug a host's cables in."""
        self._set(host, wires, "up")

    def unplug(self, host: str, *wires: Wire) -> None:
        """Pull a host's cables at the switch, in this order; the host loses its carrier."""
        self._set(host, wires, "down")

    def _set(self, host: str, wires: Sequence[Wire], state: str) -> None:
        for wire in wires:
            self._switch.link("set", index=self._plugs[f"{host}-{wire}"], state=state)

    def reboot(self, name: str) -> None:
        """Give a host a new namespace: what ran on it and what its kernel knew is gone."""
        for port in PORTS:
            if port.host == name:
                self._switch.link("del", index=self._plugs.pop(port.plug))
        self.hosts[name].close()
        self.hosts[name] = host = Host(name)
        host.wait_ready()
        self._boot(name)
        self._wait_forwarding()

    def _build(self) -> None:
        self._stack.callback(self._close_hosts)
        for name in ("switch", *NODES, "client"):
            self.hosts[name] = Host(name)
        for host in self.hosts.values():
            host.wait_ready()
        with self.hosts["switch"].entered():
            self._switch = _iproute()
        self._stack.callback(self._switch.close)
        for wire in ("lan", "sync"):
            # No snooping: without a querier it would keep VRRP's multicast from the ports.
            options = {"br_mcast_snooping": 0, "br_stp_state": 0, "br_forward_delay": 0}
            self._switch.link("add", ifname=wire, kind="bridge", **options)
            self._switch.link("set", index=self._index(wire), state="up")
        for name in (*NODES, "client"):
            self._boot(name)
        self._wait_forwarding()

    def _close_hosts(self) -> None:
        for host in self.hosts.values():
            host.close()

    def _boot(self, name: str) -> None:
        """Connect a host's cables and configure its interfaces."""
        switch, ports = self._switch, [port for port in PORTS if port.host == name]
        for port in ports:
            peer = {"ifname": port.interface, "net_ns_pid": self.hosts[name].pid, "address": port.mac}
            switch.link("add", ifname=port.plug, kind="veth", peer=peer)
            self._plugs[port.plug] = index = self._index(port.plug)
            switch.link("set", index=index, master=self._index(port.wire), state="up")
        with self.hosts[name].entered():
            for scope in ("all", "default", *(port.interface for port in ports)):
                # An address is usable at once; the laboratory has no duplicates but those that it looks for.
                _sysctl(f"net/ipv6/conf/{scope}/accept_dad", "0")
                _sysctl(f"net/ipv6/conf/{scope}/accept_ra", "0")
            with _iproute() as host:
                host.link("set", index=host.link_lookup(ifname="lo")[0], state="up")
                for port in ports:
                    index = host.link_lookup(ifname=port.interface)[0]
                    host.link("set", index=index, state="up")
                    for entry in port.addresses:
                        local, _, length = entry.partition("/")
                        host.addr("add", index=index, address=local, prefixlen=int(length))

    def _index(self, name: str) -> int:
        found: list[int] = self._switch.link_lookup(ifname=name)
        return found[0]

    def _wait_forwarding(self, *, timeout: float = 5.0) -> None:
        """A bridge port takes a moment from `up` to forwarding."""
        end = time.monotonic() + timeout
        forwarding = 3  # BR_STATE_FORWARDING of linux/if_bridge.h
        while time.monotonic() < end:
            states = [
                info.get_attr("IFLA_LINKINFO").get_attr("IFLA_INFO_SLAVE_DATA").get_attr("IFLA_BRPORT_STATE")
                for info in (self._switch.get_links(index)[0] for index in self._plugs.values())
            ]
            if all(state == forwarding for state in states):
                return
            time.sleep(0.01)
        raise LabError(f"the laboratory's switch does not forward after {timeout:g} s: port states {states}")


def _iproute() -> Any:
    from pyroute2 import IPRoute  # loads slowly, and only the one who builds needs it

    return IPRoute()


def _sysctl(name: str, value: str) -> None:
    """Set a switch of this thread's network namespace."""
    path = Path("/proc/sys") / name
    try:
        path.write_text(value)
    except OSError as error:
        raise LabError(f"{path} cannot be set ({error.strerror}): is /proc/sys read-only here?") from error
