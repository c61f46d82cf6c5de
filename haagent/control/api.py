"""IO shell: the control API, HTTP and JSON: commands on a Unix socket, a read-only part on TCP.

The status codes of the read-only part are for load balancers: 200 when what the path says is true, else 503.
"""

import os
import socket
import struct
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Protocol

import msgspec
from aiohttp import web

from haagent.metrics import render

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid (unix(7), SO_PEERCRED)
DEFAULT_HISTORY = 20
MAX_PAUSE = 30 * 86400.0  # seconds

Status = dict[str, Any]
Handler = Callable[[web.Request], Awaitable[web.Response]]


class Agent(Protocol):
    """What the API asks of the control process."""

    def status(self) -> Status:
        """The whole state, as the status command shows it."""

    def explain(self) -> Status:
        """Why the node has the role that it has."""

    def history(self, last: int) -> list[Status]:
        """The newest records, oldest first."""

    async def reload(self, by: str) -> tuple[list[str], str | None]:
        """Take over the changed file: the keys that differ, and the reason when nothing is taken."""

    async def command(self, name: str, *, force: bool, by: str, seconds: float | None = None) -> str | None:
        """Carry out an operator's command; the reason when it is refused."""


async def serve_unix(agent: Agent, path: Path) -> web.AppRunner:
    """Serve everything on the Unix socket, mode 0660."""
    runner = await _runner(_Commands(agent).routes() + _ReadOnly(agent).routes())
    await web.SockSite(runner, _bind(path)).start()
    return runner


async def serve_tcp(agent: Agent, host: str, port: int) -> web.AppRunner:
    """Serve the read-only part on TCP."""
    runner = await _runner(_ReadOnly(agent).routes())
    await web.TCPSite(runner, host, port).start()
    return runner


async def _runner(routes: list[web.RouteDef]) -> web.AppRunner:
    app = web.Application()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    return runner


def _bind(path: Path) -> socket.socket:
    """The socket is never open to others, not even between bind and chmod."""
    path.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o117)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    return listener


def is_healthy(status: Status) -> bool:
    """The agent does its job: the guard runs and no fault keeps the node out."""
    return bool(status["guard_pid"]) and status["role"] in ("MASTER", "BACKUP")


def is_ready(status: Status) -> bool:
    """The node serves or could: healthy, and its SIP core (if it has one) is ready."""
    core = status["core"]
    return is_healthy(status) and (core is None or bool(core["ready"]))


class _ReadOnly:
    """What anybody may ask."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def routes(self) -> list[web.RouteDef]:
        verdicts: dict[str, Callable[[Status], bool]] = {
            "/health": is_healthy,
            "/master": lambda status: status["role"] == "MASTER",
            "/backup": lambda status: status["role"] == "BACKUP",
            "/ready": is_ready,
        }
        answers = [web.get(path, self._answer(verdict)) for path, verdict in verdicts.items()]
        return [*answers, web.get("/status", self._status), web.get("/metrics", self._metrics)]

    def _answer(self, verdict: Callable[[Status], bool]) -> Handler:
        async def answer(_request: web.Request) -> web.Response:
            status = self._agent.status()
            code = 200 if verdict(status) else 503
            return _json({key: status[key] for key in ("node", "role", "epoch", "reason")}, code)

        return answer

    async def _status(self, _request: web.Request) -> web.Response:
        return _json(self._agent.status())

    async def _metrics(self, _request: web.Request) -> web.Response:
        body = render(self._agent.status())
        return web.Response(body=body, headers={"Content-Type": "text/plain; version=0.0.4"})


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """What a command may say; `seconds`: how long a pause lasts."""

    force: bool = False
    seconds: Annotated[float, msgspec.Meta(gt=0, le=MAX_PAUSE)] | None = None


class _Commands:
    """What only those may ask who can open the socket."""

    def __init__(self, agent: Agent) -> None:
        self._agent = agent

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/status", self._status),
            web.get("/v1/explain", self._explain),
            web.get("/v1/history", self._history),
            web.post("/v1/switchover", self._command),
            web.post("/v1/failover", self._command),
            web.post("/v1/pause", self._command),
            web.post("/v1/resume", self._command),
            web.post("/v1/reload", self._reload),
        ]

    async def _status(self, _request: web.Request) -> web.Response:
        return _json(self._agent.status())

    async def _explain(self, _request: web.Request) -> web.Response:
        return _json(self._agent.explain())

    async def _history(self, request: web.Request) -> web.Response:
        text = request.query.get("last", str(DEFAULT_HISTORY))
        if not text.isdecimal():
            return _json({"error": f"last: {text!r} is not a number"}, 400)
        return _json(self._agent.history(int(text)))

    async def _reload(self, request: web.Request) -> web.Response:
        changed, refusal = await self._agent.reload(_who(request))
        return _json({"changed": changed}) if refusal is None else _json({"error": refusal}, 409)

    async def _command(self, request: web.Request) -> web.Response:
        try:
            body = msgspec.json.decode(await request.read() or b"{}", type=_Body)
        except msgspec.DecodeError as error:
            return _json({"error": f"body: {error}"}, 400)
        name = request.path.rpartition("/")[2]
        who = _who(request)
        refusal = await self._agent.command(name, force=body.force, by=who, seconds=body.seconds)
        return _json(self._agent.status()) if refusal is None else _json({"error": refusal}, 409)


def _json(value: Any, code: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=code, content_type="application/json")


def _who(request: web.Request) -> str:
    """The user behind the Unix socket, for the history."""
    peer: socket.socket | None = request.get_extra_info("socket")
    if peer is None:
        return "operator"
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return f"operator (uid {_CREDENTIALS.unpack(credentials)[1]})"
