"""Sans-IO: the table [bin] of sipcore.toml: replication with OpenSIPS 1.10 and 1.11 by BIN."""

from collections.abc import Sequence
from ipaddress import ip_address
from typing import Annotated

import msgspec

from sipcore.config.kinds import HostPort, Section
from sipcore.errors import ConfigError

Peers = Annotated[tuple[HostPort, ...], msgspec.Meta(max_length=7)]


class Bin(Section, frozen=True):
    """Where BIN datagrams are received, what is sent to whom, and what is taken from whom."""

    listen: HostPort
    replicate_contacts_to: Peers = ()
    replicate_dialogs_to: Peers = ()
    accept_replicated_contacts: bool = False
    accept_replicated_dialogs: bool = False
    accept_from: Annotated[tuple[str, ...], msgspec.Meta(max_length=14)] = ()
    use_domain: bool = False

    @property
    def sources(self) -> frozenset[str]:
        """The addresses that datagrams are taken from: those in `accept_from`, else those sent to."""
        peers = (*self.replicate_contacts_to, *self.replicate_dialogs_to)
        named = self.accept_from or [peer.pair[0] for peer in peers]
        return frozenset(str(ip_address(host)) for host in named)


def check_bin(table: Bin, domains: Sequence[str]) -> None:
    """What one key alone does not show."""
    for index, host in enumerate(table.accept_from):
        try:
            ip_address(host)
        except ValueError as error:
            raise ConfigError(f"bin.accept_from[{index}]: {host!r} is not an IPv4 or IPv6 address") from error
    for name in ("replicate_contacts_to", "replicate_dialogs_to"):
        if table.listen in getattr(table, name):
            raise ConfigError(f"bin.{name}: {table.listen!r} is this node itself")
    accepts = table.accept_replicated_contacts or table.accept_replicated_dialogs
    if accepts and not table.sources:
        raise ConfigError("bin.accept_from: missing; nobody's datagrams would be taken")
    if not accepts and not table.replicate_contacts_to and not table.replicate_dialogs_to:
        raise ConfigError("bin: it neither sends nor takes anything")
    if not table.use_domain and len(domains) > 1:
        raise ConfigError(
            f"bin.use_domain: false, but there are {len(domains)} domains: alice of each would be one user"
        )
