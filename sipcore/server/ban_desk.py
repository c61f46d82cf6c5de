"""IO shell: what an operator asks of bans and blocks."""

import time
from collections.abc import Callable, Sequence

from sipcore.control.commands import BanOrder, Json
from sipcore.transport.admission import Admission
from sipcore.transport.bans import Ban, parse_source


class BanDesk:
    """Shows, adds and lifts bans; `text` gives the ruleset of the present ones, `flush` tells the peers."""

    def __init__(
        self, admission: Admission, seconds: float, text: Callable[[], str], flush: Callable[[float], None]
    ) -> None:
        self._admission = admission
        self._seconds = seconds
        self.text = text
        self._flush = flush

    def rows(self) -> Sequence[Json]:
        """The bans, and what pike blocks now."""
        now = time.monotonic()
        self._admission.bans.expire(now)
        rows: list[Json] = [_row(ban, now) for ban in self._admission.bans]
        for name, pike in (("udp", self._admission.udp), ("stream", self._admission.stream)):
            for source, left in pike.blocked(now) if pike is not None else ():
                row: Json = {"source": source, "kind": "block", "expires": round(left, 1)}
                rows.append({**row, "reason": f"pike, {name}", "dropped": None})
        return rows

    def ban(self, order: BanOrder) -> Json:
        """Ban a source; BanError when that cannot be."""
        now = time.monotonic()
        seconds = self._seconds if order.seconds is None else order.seconds
        row = _row(self._admission.bans.add(order.address, seconds, order.reason, now), now)
        self._flush(now)
        return row

    def unban(self, address: str) -> bool:
        """Lift bans and blocks of a source; False when there was none."""
        lifted = self._admission.bans.remove(address)
        lifted = self._admission.unblock(parse_source(address)) or lifted
        self._flush(time.monotonic())
        return lifted


def _row(ban: Ban, now: float) -> Json:
    return {
        "source": ban.source,
        "kind": "ban",
        "expires": round(ban.until - now, 1),
        "reason": ban.reason,
        "dropped": ban.dropped,
    }
