"""Sans-IO: routes for tests: the default ones, with a hook for each seam."""

from collections.abc import Callable

from sipcore.core import SipCore
from sipcore.default_routes import DefaultRoutes
from sipcore.message import Response
from sipcore.proxy import Call, Proxy
from sipcore.proxy.branch import Branch

Hook = Callable[[Proxy, Call], None]


class HookedRoutes(DefaultRoutes):
    """`before` runs before the default routes; `failure` in place of each failure route."""

    def __init__(
        self,
        core: SipCore,
        *,
        before: Hook | None = None,
        failure: Hook | None = None,
        branch: Callable[[Call, Branch], bool] | None = None,
        reply: Callable[[Call, Response], Response | None] | None = None,
    ) -> None:
        super().__init__(core.proxy, core.registrar)
        self._owner = core.proxy
        self._before = before
        self._failure = failure
        self._branch = branch
        self._reply = reply
        self.told: list[str] = []
        core.proxy.routes = self

    def on_request(self, call: Call) -> None:
        """See Routes."""
        if self._before is not None:
            self._before(self._owner, call)
        super().on_request(call)

    def on_branch(self, call: Call, branch: Branch) -> bool:
        """See Routes."""
        self.told.append(f"branch {call.branch_route}")
        return self._branch is None or self._branch(call, branch)

    def on_reply(self, call: Call, response: Response) -> Response | None:
        """See Routes."""
        self.told.append(f"reply {call.reply_route} {response.status}")
        return response if self._reply is None else self._reply(call, response)

    def on_failure(self, call: Call) -> None:
        """See Routes."""
        self.told.append(f"failure {call.deciding} {call.status}")
        if self._failure is not None:
            self._failure(self._owner, call)
