"""Sans-IO: a transaction user that writes down what it is told, on a layer with a wheel and virtual time."""

from sipcore.message import Request, Response
from sipcore.timers import TimerWheel
from sipcore.transaction.layer import ClientTransaction, ServerTransaction, TransactionLayer
from sipcore.transport.layer import Hop, Send

HERE = Hop("192.0.2.100", 5060)
PEER = Hop("192.0.2.1", 5060)


class Recorder:
    """`told` are the calls of the layer in order; `sent` takes what it wants to send."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[str] = []
        self.last_tx: ServerTransaction | None = None
        self.outbox: list[Send] = []
        self.wheel = TimerWheel()
        self.layer = TransactionLayer(user=self, wheel=self.wheel, outbox=self.outbox)

    def on_request(self, request: Request, source: Hop, tx: ServerTransaction | None, now: float) -> None:
        """See TransactionUser."""
        self.last_tx = tx
        self.told.append(request.method.decode())

    def on_cancel(
        self,
        cancel: Request,
        source: Hop,
        cancel_tx: ServerTransaction,
        invite_tx: ServerTransaction | None,
        now: float,
    ) -> None:
        """See TransactionUser."""
        self.told.append("CANCEL" if invite_tx is not None else "CANCEL of nothing")

    def on_response(self, tx: ClientTransaction | None, response: Response, now: float) -> None:
        """See TransactionUser."""
        self.told.append(f"{response.status}" if tx is not None else f"stray {response.status}")

    def on_timeout(self, tx: ClientTransaction, now: float) -> None:
        """See TransactionUser."""
        self.told.append("timeout")

    def on_transport_error(self, tx: ClientTransaction, now: float) -> None:
        """See TransactionUser."""
        self.told.append("transport error")

    def run(self, until: float) -> list[tuple[float, str]]:
        """Let time pass; returns when what was sent (its start line, a response's status)."""
        sent = []
        while self.now < until:
            self.now = min(round(self.now + 0.01, 2), until)
            self.wheel.advance(self.now)
            sent += [(self.now, line) for line in self.sent()]
        return sent

    def sent(self) -> list[str]:
        """First words of what was sent since the last look: a method or a status."""
        lines = [send.data.split(b"\r\n")[0] for send in self.outbox]
        self.outbox.clear()
        return [(line.split()[1] if line.startswith(b"SIP/") else line.split()[0]).decode() for line in lines]
