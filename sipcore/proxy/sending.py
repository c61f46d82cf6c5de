"""Sans-IO: where a branch goes: RFC 3261 section 16.6 steps 7 to 10, section 18.1.1, RFC 3263 section 4.3."""

from typing import Protocol

from sipcore.errors import ParseError
from sipcore.message import Uri
from sipcore.proxy.branch import Branch
from sipcore.proxy.branch_id import branch_id
from sipcore.proxy.call import Call
from sipcore.proxy.forward import Forwarder
from sipcore.proxy.listeners import Listeners
from sipcore.resolver.locate import Candidate, Done
from sipcore.transport.layer import Hop


class Locates(Protocol):
    """The resolver, as the proxy needs it."""

    def locate(self, uri: Uri, now: float, done: Done) -> list[Candidate] | None:
        """The addresses behind a URI, best first; None: `done` will be called with them."""

    def failed(self, candidate: Candidate, now: float) -> None:
        """An address did not answer."""


class LiteralsOnly:
    """In place of a resolver: no name leads anywhere."""

    def locate(self, uri: Uri, now: float, done: Done) -> list[Candidate] | None:
        """What is an IP address was found before anybody asked here."""
        return []

    def failed(self, candidate: Candidate, now: float) -> None:
        """Nothing is remembered."""


class Sending:
    """Finds the address of a branch and writes its copy for it."""

    def __init__(
        self, forwarder: Forwarder, listeners: Listeners, resolver: Locates, *, udp_limit: int, key: bytes
    ) -> None:
        self.key = key  # of the branches
        self.resolver = resolver
        self.forwarder = forwarder
        self._listeners = listeners
        self._udp_limit = udp_limit

    def locate(self, call: Call, branch: Branch, now: float) -> bool:
        """Begin: afterwards the branch has a hop, or candidates, or (False) waits for the resolver."""
        uri = self.forwarder.next_uri(call, branch)
        if uri is None:
            branch.hop = branch.received
            return True
        branch.hop = self._listeners.direct(uri, call.source.listener)
        if branch.hop is not None:
            return True
        try:
            candidates = self.resolver.locate(Uri.parse(uri), now, branch.located)
        except ParseError:
            return True
        if candidates is None:
            return False
        branch.candidates = candidates
        return True

    def write(self, call: Call, branch: Branch) -> bool:
        """Write the copy for its hop or the next candidate; False: there is no way there."""
        if branch.hop is None and not self._next(call, branch):
            return False
        hop = branch.hop
        assert hop is not None
        branch.id = branch_id(call.request, call.mark, branch.uri, self.key)
        if branch.index:
            branch.id += b".%d" % branch.index  # another attempt, another branch: RFC 3263 section 4.3
        branch.data = self.forwarder.write(call, branch, hop)
        if hop.transport == "udp" and len(branch.data) > self._udp_limit > 0 and not branch.index:
            self._over_tcp(call, branch, hop)
        return True

    def again(self, branch: Branch, now: float) -> bool:
        """The address of this branch has failed: forget it; False when there is no other one."""
        if branch.candidate is not None:
            self.resolver.failed(branch.candidate, now)
        if not branch.candidates:
            return False
        branch.index += 1
        branch.hop = None
        return True

    def _next(self, call: Call, branch: Branch) -> bool:
        while branch.candidates:
            candidate = branch.candidates.pop(0)
            hop = self._listeners.hop(candidate, call.source.listener)
            if hop is not None:
                branch.candidate, branch.hop = candidate, hop
                return True
        return False

    def _over_tcp(self, call: Call, branch: Branch, hop: Hop) -> None:
        """Too long for a datagram: over TCP, and over UDP only if that fails, section 18.1.1."""
        if branch.received is not None:
            return  # a phone behind NAT is reached over what it opened
        tcp = self._listeners.hop(Candidate(hop.host, hop.port, "tcp"), call.source.listener)
        if tcp is None:
            return
        branch.candidates.insert(0, Candidate(hop.host, hop.port, "udp"))
        branch.candidate, branch.hop = None, tcp
        branch.data = self.forwarder.write(call, branch, tcp)
