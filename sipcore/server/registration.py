"""IO shell: location table, registrar and digest authentication, as the config says."""

import secrets
import time
from ipaddress import ip_address

from sipcore.auth.algorithm import BY_NAME
from sipcore.auth.credentials import UsersFile
from sipcore.auth.digest import DigestAuth, DigestSettings
from sipcore.auth.failures import Failures
from sipcore.auth.nonce import Nonces
from sipcore.auth.sqlite import SqliteUsers
from sipcore.config import SipcoreConfig
from sipcore.files import Loaded
from sipcore.location.aor import AorRules
from sipcore.location.gruu import Gruus
from sipcore.location.table import LocationTable
from sipcore.nat.detect import NatTest
from sipcore.registrar import Matching, MaxContactsPolicy, PathMode, RegistrarSettings
from sipcore.replication.journal import Journal
from sipcore.role import RoleGate
from sipcore.timers import TimerWheel


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
    rules = AorRules(
        aliases(loaded.config), ignore_case=table.ignore_case, tel_domain=table.tel_domain.lower().encode()
    )
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
        nat_tests=sum({NatTest.of(name) for name in config.nat.detect}),
        third_party=frozenset(user.encode() for user in table.third_party_users),
    )


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
