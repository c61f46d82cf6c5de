"""IO shell: the control API, HTTP and JSON: commands on a Unix socket, the read-only part on TCP."""

import os
import socket
import struct
from pathlib import Path
from typing import Annotated, Protocol

import msgspec
from aiohttp import web

from haagent.control.read_only import Observed, ReadOnly, Status, as_json

_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid (unix(7), SO_PEERCRED)
MAX_PAUSE = 30 * 86400.0  # seconds


class Agent(Observed, Protocol):
    """What the API asks of the control process."""

    def explain(self) -> Status:
        """Why the node has the role that it has."""

    def plan(self, at: float | None, by: str) -> str | None:
        """Plan a switchover, or (None) call it off; the reason when that is refused."""

    async def reload(self, by: str) -> tuple[list[str], str | None]:
        """Take over the changed file: the keys that differ, and the reason when nothing is taken."""

    async def command(self, name: str, *, force: bool, by: str, seconds: float | None = None) -> str | None:
        """Carry out an operator's command; the reason when it is refused."""


async def serve_unix(agent: Agent, path: Path) -> web.AppRunner:
    """Serve everything on the Unix socket, mode 0660."""
    anybody = ReadOnly(agent)
    runner = await _runner(_Commands(agent, anybody).routes() + anybody.routes())
    await web.SockSite(runner, _bind(path)).start()
    return runner


async def serve_tcp(agent: Agent, host: str, port: int) -> web.AppRunner:
    """Serve the read-only part on TCP."""
    runner = await _runner(ReadOnly(agent).routes())
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


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    """What a command may say; `seconds`: how long a pause lasts; `at`: of a switchover, seconds UTC."""

    force: bool = False
    seconds: Annotated[float, msgspec.Meta(gt=0, le=MAX_PAUSE)] | None = None
    at: float | None = None
    cancel: bool = False


class _Commands:
    """What only those may ask who can open the socket."""

    def __init__(self, agent: Agent, anybody: ReadOnly) -> None:
        self._agent = agent
        self._anybody = anybody

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/v1/status", self._status),
            web.get("/v1/explain", self._explain),
            web.get("/v1/history", self._anybody.answer_history),
            web.post("/v1/switchover", self._command),
            web.post("/v1/failover", self._command),
            web.post("/v1/pause", self._command),
            web.post("/v1/resume", self._command),
            web.post("/v1/reload", self._reload),
        ]

    async def _status(self, _request: web.Request) -> web.Response:
        return as_json(self._agent.status())

    async def _explain(self, _request: web.Request) -> web.Response:
        return as_json(self._agent.explain())

    async def _reload(self, request: web.Request) -> web.Response:
        changed, refusal = await self._agent.reload(_who(request))
        return as_json({"changed": changed}) if refusal is None else as_json({"error": refusal}, 409)

    async def _command(self, request: web.Request) -> web.Response:
        try:
            body = msgspec.json.decode(await request.read() or b"{}", type=_Body)
        except msgspec.DecodeError as error:
            return as_json({"error": f"body: {error}"}, 400)
        name = request.path.rpartition("/")[2]
        who = _who(request)
        if name == "switchover" and (body.cancel or body.at is not None):
            refusal = self._agent.plan(None if body.cancel else body.at, who)
        else:
            refusal = await self._agent.command(name, force=body.force, by=who, seconds=body.seconds)
        return as_json(self._agent.status()) if refusal is None else as_json({"error": refusal}, 409)


def _who(request: web.Request) -> str:
    """The user behind the Unix socket, for the history."""
    peer: socket.socket | None = request.get_extra_info("socket")
    if peer is None:
        return "operator"
    credentials = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    return f"operator (uid {_CREDENTIALS.unpack(credentials)[1]})"
