"""Sans-IO: what `haagent doctor` has seen, without any judgement."""

from dataclasses import dataclass, field

from haagent.doctor.heard import HeardAdvertisement


@dataclass(slots=True)
class DirectoryFacts:
    """A directory that the agent writes to; `error`: why a file could not be written and synced."""

    key: str
    path: str
    error: str | None = None
    free: int = 0  # bytes


@dataclass(slots=True)
class HostFacts:
    """The machine itself."""

    misfit: str | None = None  # why the config does not fit the interfaces
    missing_capabilities: tuple[str, ...] = ()
    fifo: bool = True
    mlock: bool = True
    sysctls: dict[str, str | None] = field(default_factory=dict)
    sysctls_writable: bool = True
    clock_synchronised: bool | None = None  # None: the kernel does not say
    clock_jump: float = 0.0  # seconds that the wall clock moved against the monotonic one while we listened
    directories: tuple[DirectoryFacts, ...] = ()
    # interfaces with a MAC of VRRP that are not ours: the MAC, and the interface below
    virtual_macs: dict[str, tuple[str, str]] = field(default_factory=dict)
    macvlan: bool | None = None  # whether this kernel has it; None: not to be seen
    core_error: str | None = None
    core_ready: bool = True


@dataclass(slots=True)
class AgentFacts:
    """The agent of this node, if it runs."""

    role: str = ""
    peer_connected: bool = False
    peer_role: str | None = None


@dataclass(slots=True)
class PeerFacts:
    """The peer channel, tried from here unless our own agent has it."""

    error: str | None = None  # no connection
    key_error: str | None = None
    node: str = ""
    role: str = ""
    addresses: tuple[str, ...] = ()  # where its advertisements come from
    macs: dict[str, str] = field(default_factory=dict)  # of these addresses, as ARP tells


@dataclass(slots=True)
class SizeFacts:
    """Whether echoes come back from an address: small ones, and ones as long as the MTU allows."""

    interface: str
    address: str
    mtu: int
    small: bool
    full: bool


@dataclass(slots=True)
class LinkFacts:
    """One interface with virtual routers on it."""

    name: str
    mtu: int = 1500
    multicast: bool = True
    carrier: bool = True
    mac: str = ""
    same_network: tuple[str, ...] = ()  # other interfaces with an address in one of its networks
    error: str | None = None  # why nothing could be listened to
    listened: float = 0.0
    heard: list[HeardAdvertisement] = field(default_factory=list)  # before the firewall
    passed: int = 0  # of these, behind the firewall
    probe: str = "passed"  # a packet of protocol 112 to ourselves: passed, lost or refused
    suspects: tuple[str, ...] = ()  # firewall rules that may be why


@dataclass(slots=True)
class VipFacts:
    """One service address."""

    address: str
    interface: str
    here: str = "no"  # or "ours" or "foreign"
    macs: tuple[str, ...] = ()  # who answered for it
    virtual_mac: str = ""  # that it has by configuration


@dataclass(slots=True)
class Facts:
    """Everything."""

    host: HostFacts
    agent: AgentFacts | None = None
    peer: PeerFacts | None = None
    links: tuple[LinkFacts, ...] = ()
    vips: tuple[VipFacts, ...] = ()
    sizes: tuple[SizeFacts, ...] = ()
