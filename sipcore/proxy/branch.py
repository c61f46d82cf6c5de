"""Sans-IO: a branch: one copy of a request on its way to one target, RFC 3261 section 16.6."""

from enum import IntEnum
from math import inf
from typing import TYPE_CHECKING

from sipcore.proxy.edits import Change, HeaderEdit
from sipcore.proxy.forking import Target
from sipcore.resolver.locate import Candidate
from sipcore.transaction.machine import ClientTransaction, Transaction
from sipcore.transport.layer import Hop

if TYPE_CHECKING:
    from sipcore.proxy.response_context import ResponseContext


class BranchState(IntEnum):
    """How far a branch is; the numbers stand on the replication wire and only grow."""

    CALLING = 0  # also while its target is being located
    PROCEEDING = 1
    FINAL = 2


class Cancel(IntEnum):
    """Whether a branch is being cancelled; a CANCEL waits for the first provisional response, section 9.1."""

    NO = 0
    WANTED = 1
    SENT = 2


class Branch:
    """One copy of the request; when its target has several addresses they are tried one after the other."""

    __slots__ = (
        "breadth", "cancel", "candidate", "candidates", "context", "data", "edits", "expires_at", "given_up",
        "hop", "id", "index", "received", "route", "spare", "state", "status", "tx", "uri",
    )  # fmt: skip

    def __init__(self, context: "ResponseContext | None", target: Target) -> None:
        self.context = context
        self.uri, self.route, self.received, _, self.spare = target
        self.edits: list[HeaderEdit] | None = None  # for this copy alone
        self.breadth = 0  # Max-Breadth of this copy, RFC 5393; 0: not written
        self.id = b""  # branch parameter of our Via
        self.data = b""  # as it was sent
        self.hop: Hop | None = None
        self.state = BranchState.CALLING
        self.status = 0  # of the last response
        self.cancel = Cancel.NO
        self.given_up = False  # nobody answered in time: the next group may ring already
        self.expires_at = inf  # timer C or fr_timer; after a CANCEL the end of the wait for its effect
        self.tx: ClientTransaction | None = None
        self.index = 0  # addresses tried before this one
        self.candidate: Candidate | None = None  # the address that is tried now, if a name led to it
        self.candidates: list[Candidate] = []  # still to be tried, RFC 3263 section 4.3

    def change_header(self, name: bytes, value: bytes) -> None:
        """Give the first line of that header another value in this copy, or add it."""
        self.edits = [*(self.edits or ()), HeaderEdit(Change.REPLACE, name, value)]

    def next_flow(self) -> bool:
        """Go on to another flow of the same instance; False when there is none."""
        if not self.spare:
            return False
        self.uri, self.route, self.received, *_ = self.spare[0]
        self.spare = self.spare[1:]
        self.index += 1
        self.hop = self.candidate = None
        self.candidates = []
        return True

    def located(self, candidates: list[Candidate], now: float) -> None:
        """The resolver has found where the target is."""
        if self.context is not None:
            self.context.on_located(self, candidates, now)


def has_other_way(tx: Transaction) -> bool:
    """Whether its target has another address or another flow that was not tried."""
    branch = tx.context
    return isinstance(branch, Branch) and bool(branch.spare or branch.candidates)
