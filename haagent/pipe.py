"""Sans-IO: what the control process and the guard say to each other over their socket pair.

Both ends are of one build, so that the messages carry no version. One message is one packet.
"""

import msgspec

from haagent.health.weights import Finding
from haagent.settings import NodeSettings
from haagent.vrrp.packet import Terms
from haagent.vrrp.pdu import Template
from haagent.witness.said import Said

MAX_PACKET = 1 << 18


class AddressSetup(msgspec.Struct, array_like=True):
    """One VIP with the netlink messages that add and remove it."""

    address: str
    add: bytes
    remove: bytes


class MacvlanSetup(msgspec.Struct, array_like=True):
    """The interface with the virtual MAC, and the netlink messages that set it up and down."""

    name: str
    index: int
    mac: str
    up: bytes
    down: bytes


class RouterSetup(msgspec.Struct, kw_only=True):
    """What the guard sends and changes for one virtual router; everything is built already."""

    name: str
    interface: str
    index: int
    strategy: str
    backend: str
    lease: float | None
    accept: bool
    source: str
    adverts: list[Template]  # the frame to the group, or a packet for each unicast peer
    terms: Terms
    announcements: list[bytes]
    addresses: list[AddressSetup]
    foreign: list[str]  # VIPs that somebody else has configured: never removed
    macvlan: MacvlanSetup | None = None  # where the VIPs are; None: on the interface itself


class PeerEndpoint(msgspec.Struct):
    """The addresses of the second path."""

    local: str
    address: str
    port: int
    connects: bool


class Setup(msgspec.Struct, tag=True, kw_only=True):
    """The first message to the guard; a later one replaces it (a reload) and is answered by an Answer."""

    settings: NodeSettings
    routers: list[RouterSetup]
    peer: PeerEndpoint | None
    epoch: int
    findings: tuple[Finding, ...] = ()  # as the checks stand when the guard starts
    group: str = ""  # of the virtual routers; empty: the node's own
    pause: "PauseReport | None" = None  # maintenance that an earlier guard was in
    heir: bool = False  # the node was master until its guard or its agent was killed


class Core(msgspec.Struct, tag=True, kw_only=True):
    """The SIP core as control sees it; pid 0: it is gone, or (ready) its process is not known."""

    pid: int
    ready: bool
    synced: bool
    epoch: int = 0
    reason: str = ""


class Findings(msgspec.Struct, tag=True):
    """What all health checks say now."""

    findings: tuple[Finding, ...]


class Order(msgspec.Struct, tag=True):
    """An operator's command: `switchover`, `failover`, `pause` (for `seconds`) or `resume`."""

    name: str
    force: bool
    by: str
    seconds: float | None = None


class Witnessed(msgspec.Struct, tag=True):
    """What the witness says."""

    said: Said


class Repair(msgspec.Struct, tag=True):
    """Control writes the packet rules again (begins), or has (done): then everything is hidden."""

    done: bool


class Shutdown(msgspec.Struct, tag=True):
    """Leave in a planned way, then end."""


class Buckets(msgspec.Struct, array_like=True):
    """A histogram of seconds (telemetry.histogram.BOUNDS)."""

    counts: list[int]
    total: float


class RouterReport(msgspec.Struct, kw_only=True):
    """One virtual router now; `sent`: how late our advertisements were, `heard`: how irregular a master's."""

    name: str
    state: str
    effective_priority: int
    vips_present: bool
    lease_renews: bool
    counters: dict[str, int]
    sent: Buckets
    heard: Buckets


class PeerReport(msgspec.Struct, kw_only=True):
    """The peer as the channel knows it; `connections`: how often the channel was made."""

    connected: bool
    role: str | None
    epoch: int | None
    ready: bool | None
    rtt_ms: float | None
    node: str | None = None
    synced: bool | None = None
    priority: int | None = None
    connections: int = 0


class PauseReport(msgspec.Struct, kw_only=True):
    """Maintenance: who wanted it, and the seconds that remain (None: until it is resumed)."""

    by: str
    left: float | None


class Report(msgspec.Struct, tag=True, kw_only=True):
    """The guard's state: sent on each change and at least four times a second."""

    role: str
    epoch: int
    reason: str
    routers: list[RouterReport]
    peer: PeerReport | None
    realtime: dict[str, bool | int | float]
    explain: list[str]
    pause: PauseReport | None = None


class RoleChange(msgspec.Struct, tag=True, kw_only=True):
    """A change of role or epoch, after its effects; times are the guard's monotonic clock in seconds."""

    old: str
    role: str
    epoch: int
    reason: str
    detected: float
    decided: float
    vip: float | None
    announced: float | None


class Rules(msgspec.Struct, tag=True):
    """Have control flip packet rules that the guard cannot (backend iptables)."""

    show: bool


class AskedWitness(msgspec.Struct, tag=True):
    """May this node take over? The guard's epoch is this."""

    epoch: int


class Answer(msgspec.Struct, tag=True):
    """The answer to an Order; orders are answered in their sequence."""

    refusal: str | None


class Line(msgspec.Struct, tag=True):
    """One record for the log."""

    level: str
    text: str


class Stopped(msgspec.Struct, tag=True):
    """The shutdown is complete."""


ToGuard = Setup | Core | Findings | Order | Witnessed | Repair | Shutdown
ToControl = Report | RoleChange | Rules | AskedWitness | Answer | Line | Stopped

_encoder = msgspec.msgpack.Encoder(enc_hook=float)  # the durations of the config
_to_guard = msgspec.msgpack.Decoder(ToGuard)
_to_control = msgspec.msgpack.Decoder(ToControl)


def encode(message: ToGuard | ToControl) -> bytes:
    """One packet."""
    return _encoder.encode(message)


def decode_to_guard(packet: bytes) -> ToGuard:
    """What control said."""
    message: ToGuard = _to_guard.decode(packet)
    return message


def decode_to_control(packet: bytes) -> ToControl:
    """What the guard said."""
    message: ToControl = _to_control.decode(packet)
    return message
