"""IO shell: the control API, HTTP and JSON: commands on a Unix socket, a read-only part on TCP.

The status codes of the read-only part are for load balancers: 200 when what the path says is true, else 503.
"""

import os
import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import msgspec
from aiohttp import web

from haagent.metrics import render

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid (unix(7), SO_PEERCRED)
DEFAULT_HISTORY = 20

Status = dict[str, Any]


class Agent(Protocol):
    """What the API asks of the control process."""

    def status(self) -> Status:
        """The whole state, as the status command shows it."""

    def explain(self) -> Status:
        """Why the node has the role that it has."""

    def history(self, last: int) -> list[Status]:
        """The newest records, oldest first."""

    async def command(self, name: str, *, force: bool, by: str) -> str | None:
        """Carry out an operator's command; the reason when it is refused."""


async def serve_unix(agent: Agent, path: Path) -> web.AppRunner:
    """Serve everything on the Unix socket, mode 0660."""
    app = web.Application()
    app.add_routes(
        [
            web.get("/v1/status", lambda _request: _json(agent.status())),
            web.get("/v1/explain", lambda _request: _json(agent.explain())),
            web.get("/v1/history", lambda request: _history(agent, request)),
            web.post("/v1/switchover", lambda request: _command(agent, "switchover", request)),
            web.post("/v1/failover", lambda request: _command(agent, "failover", request)),
        ]
    )
    _add_read_only(app, agent)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.SockSite(runner, _bind(path)).start()
    return runner


async def serve_tcp(agent: Agent, host: str, port: int) -> web.AppRunner:
    """Serve the read-only part on TCP."""
    app = web.Application()
    _add_read_only(app, agent)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
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


def _add_read_only(app: web.Application, agent: Agent) -> None:
    verdicts: dict[str, Callable[[Status], bool]] = {
        "/health": is_healthy,
        "/master": lambda status: status["role"] == "MASTER",
        "/backup": lambda status: status["role"] == "BACKUP",
        "/ready": is_ready,
    }
    for path, verdict in verdicts.items():
        app.router.add_get(path, _answer(agent, verdict))
    app.router.add_get("/status", lambda _request: _json(agent.status()))
    app.router.add_get("/metrics", lambda _request: _metrics(agent))


def _answer(agent: Agent, verdict: Callable[[Status], bool]) -> Any:
    async def answer(_request: web.Request) -> web.Response:
        status = agent.status()
        code = 200 if verdict(status) else 503
        return await _json({key: status[key] for key in ("node", "role", "epoch", "reason")}, code)

    return answer


async def _json(value: Any, code: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=code, content_type="application/json")


async def _metrics(agent: Agent) -> web.Response:
    return web.Response(body=render(agent.status()), headers={"Content-Type": "text/plain; version=0.0.4"})


async def _history(agent: Agent, request: web.Request) -> web.Response:
    text = request.query.get("last", str(DEFAULT_HISTORY))
    if not text.isdecimal():
        return await _json({"error": f"last: {text!r} is not a number"}, 400)
    return await _json(agent.history(int(text)))


async def _command(agent: Agent, name: str, request: web.Request) -> web.Response:
    try:
        body = msgspec.json.decode(await request.read() or b"{}", type=dict[str, bool])
    except msgspec.DecodeError as error:
        return await _json({"error": f"body: {error}"}, 400)
    refusal = await agent.command(name, force=body.get("force", False), by=_who(request))
    if refusal is not None:
        return await _json({"error": refusal}, 409)
    return await _json(agent.status())


def _who(request: web.Request) -> str:
    """The user behind the Unix socket, for the history."""
    peer: socket.socket | None = request.get_extra_info("socket")
    if peer is None:
        return "operator"
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return f"operator (uid {_CREDENTIALS.unpack(credentials)[1]})"
