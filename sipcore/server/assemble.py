"""IO shell: puts the parts of the SIP core together as the config says."""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from sipcore.auth.digest import DigestAuth
from sipcore.auth.replica import NonceReplica
from sipcore.config import SipcoreConfig
from sipcore.config.dialog import Dialog
from sipcore.core import SipCore
from sipcore.dialog.settings import DialogSettings, Side
from sipcore.dialog.table import DialogTable
from sipcore.files import Loaded
from sipcore.location.moved_replica import FlowReplica
from sipcore.location.replica import LocationReplica
from sipcore.location.table import LocationTable
from sipcore.message import limits
from sipcore.nat.keepalive import Keepalive
from sipcore.proxy import Listener, ProxySettings
from sipcore.registrar import Registrar
from sipcore.replication.capability import Kind
from sipcore.replication.journal import Journal
from sipcore.replication.link import LinkCallbacks, LinkSettings, ReplicationLink
from sipcore.replication.semi_sync import SemiSync
from sipcore.replication.tls import LinkTls
from sipcore.resolver.locate import Resolver
from sipcore.role import RoleGate
from sipcore.server.names import make_resolver
from sipcore.server.registration import digest_auth, keepalive, location_table, nat_tests, registrar_settings
from sipcore.timers import TimerWheel
from sipcore.transport.admission import Admission
from sipcore.transport.ban_replica import BanReplica
from sipcore.transport.layer import Send

_REGISTER = re.compile(rb"\r\nCSeq *: *\d+ +REGISTER\r\n", re.IGNORECASE)


@dataclass(slots=True)
class Parts:
    """What one SIP core is made of."""

    gate: RoleGate
    journal: Journal
    location: LocationTable
    auth: DigestAuth
    registrar: Registrar
    resolver: Resolver
    core: SipCore
    keepalive: Keepalive


def assemble(loaded: Loaded, now: float) -> Parts:
    """Make the parts and introduce them to each other; nothing runs yet."""
    config = loaded.config
    limits.configure(**msgspec.structs.asdict(config.limits))
    gate = RoleGate(config.node)
    wheel = TimerWheel(now=now)
    journal = _journal(config, gate)
    location = location_table(loaded, gate, wheel, journal)
    names = (*config.domains, *config.registrar.domain_aliases)
    domains = tuple(name.lower().encode() for name in names)
    auth = digest_auth(loaded, journal, now)
    registrar = Registrar(registrar_settings(config), location, auth)
    resolver = make_resolver(config, wheel)
    core = SipCore(
        _proxy_settings(loaded, domains),
        gate,
        location,
        registrar,
        DialogTable(wheel, journal, dialog_settings(config.dialog)),
        journal,
        wheel=wheel,
        auth=auth,
        resolver=resolver,
    )
    return Parts(gate, journal, location, auth, registrar, resolver, core, keepalive(config, core))


def replication_link(
    loaded: Loaded, parts: Parts, admission: Admission, callbacks: LinkCallbacks[Send]
) -> ReplicationLink[Send] | None:
    """The link to the peers; None, and nothing is kept for them, when the config names none."""
    replication = loaded.config.replication
    if replication is None:
        parts.journal.clear()
        return None
    parts.journal.register(LocationReplica(parts.location))
    parts.journal.register(NonceReplica(parts.auth.nonces))
    parts.journal.register(FlowReplica(parts.location.moved, parts.journal))
    parts.journal.register(BanReplica(admission, parts.journal))
    waits = _kinds(replication.semi_sync_kinds)
    settings = LinkSettings(
        loaded.config.node,
        loaded.replication_key,
        replication.listen.pair,
        tuple(peer.pair for peer in replication.peers),
        SemiSync(replication.semi_sync),
        replication.budget,
        waits=None if len(waits) == 2 else waits,
        tls=LinkTls(replication.certificate, replication.key, replication.ca) if replication.ca else None,
        compress=tuple(peer.pair for peer in replication.compress),
    )
    return ReplicationLink(settings, parts.journal, callbacks)


def _journal(config: SipcoreConfig, gate: RoleGate) -> Journal:
    link = config.replication
    sends = _kinds(link.send) if link is not None and link.send else None
    accepts = _kinds(link.accept) if link is not None and link.accept else None
    return Journal(gate, incarnation=secrets.randbits(63), sends=sends, accepts=accepts)


def _kinds(names: Sequence[str]) -> frozenset[Kind]:
    return frozenset(Kind[name.upper()] for name in names)


def promise(answer: Send) -> Kind:
    """What an answer that waits promises: 200 to REGISTER a contact, all others something of a call."""
    return Kind.CONTACT if _REGISTER.search(answer.data) else Kind.DIALOG


def dialog_settings(dialog: Dialog) -> DialogSettings:
    """What the config says about dialogs."""
    sides = {"none": Side(0), "caller": Side.CALLER, "callee": Side.CALLEE, "both": Side.CALLER | Side.CALLEE}
    return DialogSettings(
        track_all=dialog.track == "all",
        max_dialogs=dialog.max_dialogs,
        lifetime=dialog.lifetime,
        early_timeout=dialog.early_timeout,
        ack_timeout=dialog.ack_timeout,
        bye_on_timeout=dialog.bye_on_timeout,
        ping_interval=dialog.ping_interval,
        pings=sides[dialog.ping],
        session_expires=int(dialog.session_expires),
        session_min=int(dialog.min_session_expires),
        session_bye=dialog.session_bye,
        profiles=dialog.profiles,
    )


def _proxy_settings(loaded: Loaded, domains: tuple[bytes, ...]) -> ProxySettings:
    config, proxy = loaded.config, loaded.config.proxy
    return ProxySettings(
        domains=domains,
        listeners=tuple(Listener(listen.address, listen.port, listen.transport) for listen in config.listen),
        timer_c=proxy.timer_c,
        no_answer=proxy.no_answer,
        failover=proxy.failover,
        max_branches=proxy.max_branches,
        max_transactions=proxy.max_transactions,
        authenticate=proxy.authenticate,
        relay=proxy.relay,
        recurse=proxy.recurse,
        tel_users=proxy.tel_users,
        hide_users=proxy.hide_users,
        udp_limit=proxy.udp_limit,
        nat_tests=nat_tests(config) if config.nat.contact_alias else 0,
        flow_key=loaded.secret,
    )
