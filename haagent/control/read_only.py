"""IO shell: the part of the control API that anybody may ask: verdicts, status, history, metrics, events.

The status codes of the verdicts are for load balancers, as Patroni has them: 200 when what the path says is
true, else 503; with HEAD and OPTIONS, too, which have no body.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import msgspec
from aiohttp import web

from haagent.control.stream import EventStream
from haagent.dashboard import serve_dashboard
from haagent.metrics import render
from haagent.telemetry.observer import Observer

DEFAULT_HISTORY = 20
MAX_HISTORY = 1000

Status = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Observed(Protocol):
    """What the read-only part asks of the control process."""

    observer: Observer

    def status(self) -> Status:
        """The whole state, as the status command shows it."""

    def history(self, last: int) -> list[Status]:
        """The newest records, oldest first."""


def is_healthy(status: Status) -> bool:
    """The agent does its job: the guard runs and no fault keeps the node out."""
    return bool(status["guard_pid"]) and status["role"] in ("MASTER", "BACKUP")


def is_ready(status: Status) -> bool:
    """The node serves or could: healthy, and its SIP core (if it has one) is ready."""
    core = status["core"]
    return is_healthy(status) and (core is None or bool(core["ready"]))


VERDICTS: dict[str, Callable[[Status], bool]] = {
    "/health": is_healthy,
    "/master": lambda status: status["role"] == "MASTER",
    "/backup": lambda status: status["role"] == "BACKUP",
    "/ready": is_ready,
}


class ReadOnly:
    """It changes nothing."""

    def __init__(self, agent: Observed) -> None:
        self._agent = agent
        self._events = EventStream(agent.observer.feed, agent.status)

    def routes(self) -> list[web.RouteDef]:
        """A GET route answers HEAD, too."""
        routes = []
        for path, verdict in VERDICTS.items():
            answer = self._answer(verdict)
            routes += [web.get(path, answer), web.options(path, answer)]
        return [
            *routes,
            web.get("/", serve_dashboard),
            web.get("/dashboard", serve_dashboard),
            web.get("/status", self._status),
            web.get("/history", self.answer_history),
            web.get("/metrics", self._metrics),
            web.get("/events", self._events.serve),
        ]

    def _answer(self, verdict: Callable[[Status], bool]) -> Handler:
        async def answer(request: web.Request) -> web.Response:
            status = self._agent.status()
            code = 200 if verdict(status) else 503
            if request.method == "OPTIONS":
                return web.Response(status=code, headers={"Allow": "GET, HEAD, OPTIONS"})
            return as_json({key: status[key] for key in ("node", "role", "epoch", "reason")}, code)

        return answer

    async def _status(self, _request: web.Request) -> web.Response:
        return as_json(self._agent.status())

    async def answer_history(self, request: web.Request) -> web.Response:
        """`?last=N`."""
        text = request.query.get("last", str(DEFAULT_HISTORY))
        if not text.isascii() or not text.isdecimal() or len(text) > 9 or int(text) > MAX_HISTORY:
            return as_json({"error": f"last: {text!r} is not a number in 0..{MAX_HISTORY}"}, 400)
        return as_json(self._agent.history(int(text)))

    async def _metrics(self, _request: web.Request) -> web.Response:
        body = render(self._agent.status(), self._agent.observer.figures)
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4"})


def as_json(value: object, code: int = 200) -> web.Response:
    """The answer; nobody may keep it."""
    return web.Response(
        body=msgspec.json.encode(value),
        status=code,
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )
