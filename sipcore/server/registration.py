"""IO shell: location table, registrar and digest authentication, as the config says."""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from ipaddress import ip_address

from sipcore.auth.algorithm import BY_NAME
from sipcore.auth.credentials import UsersFile
from sipcore.auth.digest import DigestAuth, DigestSettings
from sipcore.auth.failures import AuthFailure, Failures
from sipcore.auth.nonce import Nonces
from sipcore.auth.sqlite import SqliteUsers
from sipcore.bus import Event
from sipcore.config import SipcoreConfig
from sipcore.core import SipCore
from sipcore.files import Loaded
from sipcore.location.aor import AorRules
from sipcore.location.gruu import Gruus
from sipcore.location.table import LocationTable
from sipcore.nat.detect import NatTest
from sipcore.nat.keepalive import Keepalive, KeepaliveSettings, PingMethod
from sipcore.registrar import Matching, MaxContactsPolicy, PathMode, RegistrarSettings
from sipcore.replication.journal import Journal
from sipcore.role import RoleGate
from sipcore.timers import TimerWheel
from sipcore.transport.bans import BanError, BanList


def aliases(config: SipcoreConfig) -> dict[bytes, bytes]:
    """Names for our domains: those of the config, and our own addresses for the first domain."""
    found = {}
    for listen in config.listen:
        host = f"[{listen.address}]" if ip_address(listen.address).version == 6 else listen.address
        found[host.lower().encode()] = config.domains[0].lower().encode()
    for alias, domain in config.registrar.domain_aliases.items():
        found[alias.lower().encode()] = domain.lower().encode()
    return {alias: domain for alias, domain in found.items() if alias != domain}


def location_table(loaded: Loaded, gate: RoleGate, wheel: TimerWheel, journal: Journal) -> LocationTable:
    """An empty table with the rules of the config."""
    table = loaded.config.registrar
    tel = table.tel_domain or loaded.config.domains[0]
    rules = AorRules(aliases(loaded.config), ignore_case=table.ignore_case, tel_domain=tel.lower().encode())
    gruus = Gruus(loaded.secret) if table.gruu else None
    return LocationTable(gate, wheel, journal, rules=rules, gruus=gruus)


def registrar_settings(config: SipcoreConfig) -> RegistrarSettings:
    """The table [registrar]."""
    table = config.registrar
    domains = {domain.lower().encode() for domain in config.domains}
    return RegistrarSettings(
        frozenset(domains | set(aliases(config))),
        min_expires=int(table.min_expires),
        max_expires=int(table.max_expires),
        default_expires=int(table.default_expires),
        max_contacts=table.max_contacts,
        max_contacts_policy=MaxContactsPolicy(table.max_contacts_policy),
        matching=Matching(table.matching),
        path_mode=PathMode(table.path),
        service_route=tuple(f"<{route.strip('<>')}>".encode() for route in table.service_route),
        outbound=table.outbound,
        flow_timer=int(table.flow_timer),
        nat_tests=nat_tests(config),
        third_party=frozenset(user.encode() for user in table.third_party_users),
        wall_offset=time.time() - time.monotonic(),
    )


def keepalive(config: SipcoreConfig, core: SipCore) -> Keepalive:
    """The pings of the table [nat]; they follow the role of the core."""
    table = config.nat
    settings = KeepaliveSettings(
        PingMethod(table.ping),
        table.ping_interval,
        table.max_pings_lost,
        everyone=table.ping_all,
        sender=f"sip:keepalive@{config.domains[0]}".encode(),
        salt=secrets.token_bytes(16),
    )
    pings = Keepalive(settings, core.location, core.wheel, core.proxy.originator, core.outbox)
    core.followers.append(pings.on_role)
    return pings


def nat_tests(config: SipcoreConfig) -> int:
    """The tests of the table [nat]."""
    return sum({NatTest.of(name) for name in config.nat.detect})


def ban_brute_force(config: SipcoreConfig, auth: DigestAuth, bans: BanList) -> None:
    """Who gives too many wrong passwords is banned for a while, if the config says so."""
    table = config.auth

    def on_failure(_user: bytes, failure: AuthFailure | None) -> None:
        if failure is None or failure.source is None or failure.source_failures < table.ban_after:
            return
        with suppress(BanError):  # on the allow-list, or the list is full
            reason = f"{failure.source_failures} wrong passwords"
            bans.add(failure.source.host, table.ban_time, reason, time.monotonic())

    if table.ban_after:
        auth.failures.bus.subscribe(Event.E_AUTH_FAILURE, on_failure)


def start_users(auth: DigestAuth, loop: asyncio.AbstractEventLoop, flush: Callable[[], None]) -> None:
    """Users in a database are looked for beside the loop; `flush` sends what their answers set going."""
    if isinstance(auth.credentials, SqliteUsers):
        auth.credentials.start(loop, flush)


def stop_users(auth: DigestAuth) -> None:
    """End the thread of the database."""
    if isinstance(auth.credentials, SqliteUsers):
        auth.credentials.close()


def digest_auth(loaded: Loaded, journal: Journal, now: float) -> DigestAuth:
    """Who our users are, and the nonces that both nodes of a pair judge alike."""
    table = loaded.config.auth
    wanted = tuple(BY_NAME[name.lower().encode()] for name in table.algorithms)
    kind = SqliteUsers if table.users_db else UsersFile
    nonces = Nonces(
        loaded.secret,
        node=loaded.config.node.encode() + secrets.token_bytes(8),
        life=table.nonce_life,
        wall_offset=time.time() - time.monotonic(),
        since=now,
    )
    return DigestAuth(
        table.realm.encode(),
        nonces,
        kind(table.users_db or table.users_file, table.realm, wanted),
        settings=DigestSettings(auth_int=table.qop == "auth-int", check_uri=table.check_uri),
        failures=Failures(table.failure_window),
        journal=journal,
    )
