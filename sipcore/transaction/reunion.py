"""Sans-IO: after a takeover: what cannot be sent over a lost connection waits until its phone connects again.

A phone hears at once that its connection is gone (transport/resets.py) and registers over a new one a moment
later. What was to go over the old one meanwhile does not fail: it leaves over the new one. Who is not back in
time is not there, as without a takeover.
"""

from collections.abc import Callable
from math import inf
from typing import Protocol

from sipcore.timers import TimerWheel
from sipcore.transaction.machine import ServerTransaction, Transaction
from sipcore.transport.layer import Hop

PATIENCE = 4.0  # seconds that what could not be sent waits for the phone
MEMORY = 32.0  # seconds, 64 * T1, that an answer which comes later still finds the new connection


class Layer(Protocol):
    """What it needs of the transaction layer."""

    wheel: TimerWheel

    def lives(self, tx: Transaction) -> bool:
        """Whether it has not ended."""


class Reunion:
    """Transactions that belong to connections of the dead master, by the number of the connection."""

    def __init__(self, layer: Layer) -> None:
        self.until = -inf  # what cannot be sent waits
        self.has_other_way: Callable[[Transaction], bool] = lambda tx: False  # then it need not wait
        self._layer = layer
        self._of: dict[int, dict[bytes, Transaction]] = {}
        self._unsent: dict[bytes, Transaction] = {}

    def begin(self, now: float) -> None:
        """This node is MASTER now."""
        self.end()
        self.until = until = now + PATIENCE
        self._layer.wheel.schedule(until, lambda now: self._give_up(until, now))
        self._layer.wheel.schedule(now + MEMORY, lambda _: self.end() if self.until == until else None)

    def end(self) -> None:
        """Nobody is waited for."""
        self.until = -inf
        self._of.clear()
        self._unsent.clear()

    def expect(self, tx: Transaction) -> None:
        """Its phone had a connection with the dead master."""
        self._of.setdefault(tx.hop.flow, {})[tx.key] = tx

    def waits(self, tx: Transaction, now: float) -> bool:
        """It could not be sent; False: and there is nothing to wait for."""
        if now >= self.until or not tx.hop.flow or self.has_other_way(tx):
            return False
        self.expect(tx)
        self._unsent[tx.key] = tx
        return True

    def on_flow_moved(self, old: Hop, new: Hop) -> None:
        """The phone is back: what it was to get goes out again."""
        for tx in self._of.pop(old.flow, {}).values():
            self._unsent.pop(tx.key, None)
            if self._layer.lives(tx):
                if isinstance(tx, ServerTransaction):
                    tx.hop = tx.hop._replace(host=new.host, listener=new.listener, flow=new.flow)
                tx.send_again()

    def _give_up(self, until: float, now: float) -> None:
        if self.until == until:
            unsent, self._unsent = self._unsent, {}
            for tx in unsent.values():
                if self._layer.lives(tx):
                    tx.on_transport_error(now)
