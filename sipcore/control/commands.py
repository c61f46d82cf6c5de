"""Sans-IO: what the control API asks of the core, and what of a request body is accepted."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, Protocol

import msgspec

from sipcore.errors import ParseError, SipcoreError
from sipcore.location.binding import FLOW_GONE, NAT, Binding
from sipcore.location.table import LocationTable
from sipcore.message import Uri
from sipcore.nat.keepalive import Keepalive, Ping
from sipcore.role import Role
from sipcore.transport.trace import Tap

Json = Mapping[str, object]

MAX_EPOCH = 2**63 - 1


class BadRequestError(SipcoreError):
    """The request cannot be understood; the text says which field and which limit."""


class RoleOrder(msgspec.Struct, frozen=True):
    """Which role the core is to have from now on, in which epoch, and the sentence that says why."""

    role: Role
    epoch: int
    reason: str


class BanOrder(msgspec.Struct, forbid_unknown_fields=True):
    """Which source to ban, for how long (None: as the config says) and why."""

    address: str
    seconds: float | None = None
    reason: str = "banned by the operator"


class Served(Protocol):
    """What the API asks of the running core."""

    @property
    def tap(self) -> Tap:
        """Where messages can be watched."""

    def status(self) -> Json:
        """The state in one object, as `sipcore status` shows it."""

    def change_role(self, order: RoleOrder) -> None:
        """Take the role at once; StaleEpochError for an epoch older than the one that the core has."""

    def reload(self) -> Sequence[Json]:
        """Read the files anew: a row per part with `what`, `done` and `message`."""

    def script(self) -> Json:
        """The routing script and its key-value stores."""

    def location(self, aor: str | None) -> Sequence[Json]:
        """The registered contacts, of one AOR or of all."""

    def dialogs(self) -> Sequence[Json]:
        """The calls."""

    def end_dialogs(self, call_id: str, query: Mapping[str, str]) -> Json:
        """End calls by Call-ID, from=URI or all=true; NotMasterError on a standby."""

    def profiles(self, name: str | None) -> Sequence[Json]:
        """The sizes of all dialog profiles, or of the values of one; KeyError when it is not declared."""

    def transactions(self) -> Sequence[Json]:
        """The transactions that are under way."""

    def resolver(self) -> Sequence[Json]:
        """What is known of the DNS."""

    def forget_names(self, domain: str | None) -> int:
        """Forget what is known of the DNS, of one domain or all; how many answers that were."""

    def replication(self) -> Json:
        """The links to the peers."""

    async def verify(self) -> Json:
        """All that this node and its peers hold, compared."""

    def bans(self) -> Sequence[Json]:
        """The ban list, and what pike blocks."""

    def ban(self, order: BanOrder) -> Json:
        """Ban a source; BanError when that cannot be."""

    def unban(self, address: str) -> bool:
        """Lift bans and blocks of a source; False when there was none."""

    def exported_bans(self) -> str:
        """The ban list as a ruleset for `nft -f`."""


class _RoleBody(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["MASTER", "BACKUP"]
    epoch: Annotated[int, msgspec.Meta(ge=0, le=MAX_EPOCH)]
    reason: str = ""


_decode_role = msgspec.json.Decoder(_RoleBody).decode
_decode_ban = msgspec.json.Decoder(BanOrder).decode


def parse_role(body: bytes) -> RoleOrder:
    """Read the body of PUT /v1/role."""
    try:
        wanted = _decode_role(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(f"body: {error}") from error
    return RoleOrder(Role[wanted.role], wanted.epoch, wanted.reason[:500])


def parse_ban(body: bytes) -> BanOrder:
    """Read the body of PUT /v1/bans."""
    try:
        return _decode_ban(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequestError(f"body: {error}") from error


def event_line(event: str | None, status: Json) -> bytes:
    """One line of /v1/events: the status, with the event's name in front of it (the first line has none)."""
    fields = dict(status) if event is None else {"event": event, **status}
    return msgspec.json.encode(fields) + b"\n"


def location_rows(
    table: LocationTable, aor: str | None, now: float, keepalive: Keepalive | None = None
) -> list[Json]:
    """The contacts that can be reached, of one AOR ("user@domain" or a SIP URI) or of all."""
    if aor is None:
        wanted: Iterable[bytes] = table.aors()
    else:
        try:
            wanted = [table.aor(Uri.parse((aor if ":" in aor else f"sip:{aor}").encode()))]
        except ParseError as error:
            raise BadRequestError(f"aor: {aor!r} is not a SIP URI: {error}") from error
    return [
        _contact_row(key, binding, now, keepalive.ping_of(key, binding.key) if keepalive else None)
        for key in wanted
        for binding in table.lookup(key, now)
    ]


def _contact_row(aor: bytes, binding: Binding, now: float, ping: Ping | None) -> Json:
    received = binding.received
    seen = max(ping.last_seen, binding.updated_at) if ping is not None else binding.updated_at
    return {
        "aor": text(aor),
        "contact": text(binding.uri),
        "expires": round(binding.expires_at - now, 1),
        "q": binding.q,
        "state": _state(binding),
        "received": f"{received.transport}:{received.host}:{received.port}" if received else None,
        "path": [text(uri) for uri in binding.path],
        "last_seen": round(now - seen, 1),
        "rtt_ms": round(ping.rtt * 1000, 1) if ping is not None and ping.rtt is not None else None,
        "pings_lost": ping.lost if ping is not None else None,
        "instance": text(binding.instance) or None,
        "reg_id": binding.reg_id or None,
        "params": text(binding.params),
        "call_id": text(binding.call_id),
        "cseq": binding.cseq,
        "user_agent": text(binding.user_agent),
        "epoch": binding.epoch,
    }


def _state(binding: Binding) -> str:
    """Whether and how the phone is reached."""
    if binding.flags & FLOW_GONE:
        return "waits for a new connection"
    if binding.flags & NAT:
        return "behind NAT"
    return "direct" if binding.received is None else "over its connection"


def text(value: bytes) -> str:
    """What came from the wire, for JSON."""
    return value.decode("utf-8", "replace")
