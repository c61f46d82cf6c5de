"""Sans-IO: transactions: relay, branches, armed routes, replies. OpenSIPS: tm, sl, branches of the core."""

import re
from typing import NamedTuple

from sipcore.errors import ParseError
from sipcore.message import Uri
from sipcore.proxy.call import Call as ProxyCall
from sipcore.proxy.forking import Target
from sipcore.script.call import Call
from sipcore.script.errors import RouteError
from sipcore.script.suggest import hint
from sipcore.script.text import one_line, text


class BranchView(NamedTuple):
    """A target that is still to be called."""

    uri: str
    q: float


async def relay(call: Call) -> bool:
    """Forward to the target set, or to the Request-URI when that is empty; in a failure route to new targets.

    What RFC 3261 section 16.3 asks for is checked, if `sipmsg_validate` did not do it before. What `[nat]`
    in the config says is done: an alias for the Contact of a phone behind NAT.
    OpenSIPS: t_relay().
    """
    proxy, passing = call.services.proxy, call.proxy_call
    if not passing.mark:
        proxy.check(passing)
    call.decided = True
    proxy.relay(passing, passing.now)
    return True


t_relay = relay


async def t_on_failure(call: Call, name: str) -> None:
    """Have `@failure_route(name)` decide when all branches have failed; "" disarms.

    OpenSIPS: t_on_failure("name").
    """
    _known(name, call.services.generation.failure, "failure_route")
    call.proxy_call.failure_route = name


async def t_on_branch(call: Call, name: str) -> None:
    """Have `@branch_route(name)` see each branch before it is sent. OpenSIPS: t_on_branch("name")."""
    _known(name, call.services.generation.branch, "branch_route")
    call.proxy_call.branch_route = name


async def t_on_reply(call: Call, name: str) -> None:
    """Have `@reply_route(name)` see each reply, after the default one. OpenSIPS: t_on_reply("name")."""
    _known(name, call.services.generation.reply, "reply_route")
    call.proxy_call.reply_route = name


async def t_reply(call: Call, status: int, reason: str = "") -> bool:
    """Answer the request; a final answer cancels what still rings. OpenSIPS: t_reply(code, reason)."""
    if not 100 <= status <= 699:
        raise RouteError(f"t_reply: {status} is not in 100..699")
    headers = tuple(call.reply_headers or ())
    call.decided = call.decided or status >= 200
    call.services.proxy.reply(call.proxy_call, status, one_line(reason, "reason"), headers)
    return True


async def sl_send_reply(call: Call, status: int, reason: str = "") -> bool:
    """Answer the request, as `t_reply`: a transaction is there. OpenSIPS: sl_send_reply(code, reason)."""
    return await t_reply(call, status, reason)


send_reply = sl_send_reply


async def t_check_status(call: Call, pattern: str) -> bool:
    """Whether the status (failure route: of the best reply) fits "486", "4[0-9][0-9]", "48[06]|600".

    OpenSIPS: t_check_status("re").
    """
    return re.fullmatch(pattern, str(call.rs)) is not None


async def t_was_cancelled(call: Call) -> bool:
    """Whether the caller has cancelled meanwhile. OpenSIPS: t_was_cancelled()."""
    passing = call.proxy_call
    nothing_relayed = passing.context is None and not call.decided
    return passing.cancelled or (nothing_relayed and passing.tx is not None and passing.tx.last_status == 487)


async def t_set_fr(call: Call, fr_inv_timeout: float, fr_timeout: float = 0) -> None:
    """Seconds that a branch may ring, and a first reply may take; 0: as configured. OpenSIPS: t_set_fr()."""
    if not (0 <= fr_inv_timeout <= 3600 and 0 <= fr_timeout <= 3600):
        raise RouteError(f"t_set_fr: {fr_inv_timeout:g} or {fr_timeout:g} s is not in 0..3600")
    call.proxy_call.fr_inv_timer = fr_inv_timeout
    call.proxy_call.fr_timer = fr_timeout


async def append_branch(call: Call, uri: str = "", q: float = 1.0) -> bool:
    """Add a target: this URI, or the Request-URI as it is now. Equal q rings together, lower q later.

    Once there is a target set the Request-URI is called only if it is in it. OpenSIPS: append_branch(uri).
    """
    data = one_line(uri, "branch")
    try:
        if data:
            Uri.parse(data)
    except ParseError as error:
        raise RouteError(f"append_branch: {uri[:60]!r} is no URI: {error}") from None
    before = _count(call.proxy_call)
    call.services.proxy.append_branch(call.proxy_call, data, q=q)
    return _count(call.proxy_call) > before


async def remove_branch(call: Call, index: int) -> bool:
    """Take a target out of the target set, by its place in `branches`. OpenSIPS: remove_branch(pos)."""
    passing, at = call.proxy_call, 0
    for group in passing.groups:
        if at <= index < at + len(group):
            del group[index - at]
            passing.groups = [group for group in passing.groups if group]
            return True
        at += len(group)
    return False


async def branches(call: Call) -> list[BranchView]:
    """The target set: what `relay` will call, in this order. OpenSIPS: $branch."""
    targets: list[Target] = [target for group in call.proxy_call.groups for target in group]
    return [BranchView(text(target.uri), target.q) for target in targets]


async def drop(call: Call) -> None:
    """No answer at all. In a branch route: it is not sent; in a reply route: a provisional reply ends here.

    OpenSIPS: drop, or exit without a reply.
    """
    call.dropped = True


def _count(passing: ProxyCall) -> int:
    return sum(len(group) for group in passing.groups)


def _known(name: str, routes: dict[str, object] | object, kind: str) -> None:
    known = list(routes) if isinstance(routes, dict) else []
    if name and name not in known:
        raise RouteError(f'there is no {kind}("{name}"){hint(name, known)}')
