"""Sans-IO: [peer] of haagent.toml: the second path to the other node."""

from collections.abc import Iterator

from haagent.config.kinds import Address, Port, Section, Switchable, milliseconds

MIN_HELLO = 0.001
MAX_HELLO = 1.0


class PeerConfig(Section, frozen=True, kw_only=True):
    """[peer]: the second path to the other node."""

    local: Address
    address: Address
    port: Port = 5405
    key_file: str
    hello: Switchable = Switchable(0.0)
    two_paths: bool = True

    @property
    def connects(self) -> bool:
        """Whether this node opens the TCP connection (the lower address does; the other one listens)."""
        return int(self.local.ip) < int(self.address.ip)


def peer_problems(peer: PeerConfig) -> Iterator[str]:
    """What is wrong with it."""
    if peer.local == peer.address:
        yield f"peer.address: {peer.address!s} is also peer.local"
    if peer.local.ip.version != peer.address.ip.version:
        yield f"peer.address: {peer.address!s} is not of the family of peer.local ({peer.local!s})"
    if peer.hello and not MIN_HELLO <= peer.hello <= MAX_HELLO:
        yield f'peer.hello: {milliseconds(peer.hello)} is not "off" or in 1ms..1000ms'
