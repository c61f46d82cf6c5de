"""IO shell: the control API of the SIP core, HTTP and JSON on a Unix socket, mode 0660."""

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec
from aiohttp import web

from sipcore.control.commands import BadRequestError, Served, event_line, parse_ban, parse_role
from sipcore.control.dialogs import NotMasterError
from sipcore.control.tracing import serve_trace
from sipcore.control.watch import parse_watch
from sipcore.errors import StaleEpochError
from sipcore.metrics import CONTENT_TYPE, render
from sipcore.transport.bans import BanError

HEARTBEAT_SECONDS = 1.0
MAX_WATCHERS = 12  # traces and capture servers
MAX_WAITING_LINES = 64  # of a reader that does not read; then its stream is closed


class ControlApi:
    """Serves one core; `announce` tells all who follow /v1/events."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._streams: set[asyncio.Queue[bytes | None]] = set()
        self._runner: web.AppRunner | None = None
        self._path: Path | None = None
        self._heart: asyncio.TimerHandle | None = None

    async def start(self, path: Path) -> None:
        """Open the socket; what an earlier process left of it is replaced."""
        app = web.Application()
        app.add_routes(
            [
                web.get("/v1/status", self._get_status),
                web.put("/v1/role", self._put_role),
                web.put("/v1/reload", self._put_reload),
                web.get("/v1/events", self._get_events),
                web.get("/v1/location", self._get_location),
                web.get("/v1/dialogs", self._get_dialogs),
                web.delete("/v1/dialogs", self._delete_dialogs),
                web.delete("/v1/dialogs/{call_id}", self._delete_dialogs),
                web.get("/v1/profiles", self._get_profiles),
                web.get("/v1/profiles/{name}", self._get_profiles),
                web.get("/v1/transactions", self._get_transactions),
                web.get("/v1/replication", self._get_replication),
                web.get("/v1/replication/verify", self._verify_replication),
                web.get("/v1/resolver", self._get_resolver),
                web.delete("/v1/resolver", self._forget_names),
                web.get("/v1/trace", self._get_trace),
                web.get("/v1/bans", self._get_bans),
                web.put("/v1/bans", self._put_ban),
                web.delete("/v1/bans", self._delete_ban),
                web.get("/v1/bans/export", self._export_bans),
                web.get("/v1/script", self._get_script),
                web.get("/metrics", self._get_metrics),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        self._path = path
        path.unlink(missing_ok=True)  # noqa: ASYNC240 - once, before anything is served
        mask = os.umask(0o117)
        try:
            await web.UnixSite(self._runner, str(path)).start()
        finally:
            os.umask(mask)
        self._beat()

    async def stop(self) -> None:
        """Close the streams and the socket."""
        if self._heart is not None:
            self._heart.cancel()
        for stream in self._streams:
            _offer(stream, None)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._path is not None:
            self._path.unlink(missing_ok=True)

    def announce(self, event: str) -> None:
        """Tell every follower of /v1/events: "role", "sync" or "heartbeat"."""
        if self._streams:
            line = event_line(event, self._served.status())
            for stream in self._streams:
                _offer(stream, line)

    def _beat(self) -> None:
        self.announce("heartbeat")
        self._heart = asyncio.get_running_loop().call_later(HEARTBEAT_SECONDS, self._beat)

    async def _put_role(self, request: web.Request) -> web.Response:
        try:
            order = parse_role(await request.read())
            self._served.change_role(order)
        except BadRequestError as error:
            return _json({"error": str(error)}, 400)
        except StaleEpochError as error:
            return _json({"error": str(error)}, 409)
        return _json({"role": order.role.name, "epoch": order.epoch})

    async def _put_reload(self, _request: web.Request) -> web.Response:
        rows = self._served.reload()
        refused = [f"{row['what']}: {row['message']}" for row in rows if not row["done"]]
        if refused:
            return _json({"error": "\n".join(refused), "parts": rows}, 409)
        return _json(rows)

    async def _get_events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(MAX_WAITING_LINES)
        self._streams.add(queue)
        try:
            await response.prepare(request)
            await response.write(event_line(None, self._served.status()))
            while (line := await queue.get()) is not None:
                await response.write(line)
        except ConnectionError:
            pass  # the follower has gone
        finally:
            self._streams.discard(queue)
        return response

    async def _get_trace(self, request: web.Request) -> web.StreamResponse:
        try:
            watch = parse_watch(request.query)
        except BadRequestError as error:
            return _json({"error": str(error)}, 400)
        if len(self._served.tap.watchers) >= MAX_WATCHERS:
            return _json({"error": f"{MAX_WATCHERS} already watch, no more are served"}, 429)
        return await serve_trace(request, watch, self._served.tap)

    async def _get_status(self, _request: web.Request) -> web.Response:
        return _json(self._served.status())

    async def _get_location(self, request: web.Request) -> web.Response:
        try:
            return _json(self._served.location(request.query.get("aor")))
        except BadRequestError as error:
            return _json({"error": str(error)}, 400)

    async def _get_dialogs(self, _request: web.Request) -> web.Response:
        return _json(self._served.dialogs())

    async def _delete_dialogs(self, request: web.Request) -> web.Response:
        try:
            return _json(self._served.end_dialogs(request.match_info.get("call_id", ""), request.query), 202)
        except BadRequestError as error:
            return _json({"error": str(error)}, 400)
        except NotMasterError as error:
            return _json({"error": str(error)}, 409)

    async def _get_profiles(self, request: web.Request) -> web.Response:
        name = request.match_info.get("name")
        try:
            return _json(self._served.profiles(name))
        except KeyError:
            return _json({"error": f"profile {name!r}: not declared in dialog.profiles"}, 404)

    async def _get_transactions(self, _request: web.Request) -> web.Response:
        return _json(self._served.transactions())

    async def _get_replication(self, _request: web.Request) -> web.Response:
        return _json(self._served.replication())

    async def _verify_replication(self, _request: web.Request) -> web.Response:
        return _json(await self._served.verify())

    async def _get_resolver(self, _request: web.Request) -> web.Response:
        return _json(self._served.resolver())

    async def _forget_names(self, request: web.Request) -> web.Response:
        domain = request.query.get("domain")
        return _json({"forgotten": self._served.forget_names(domain.lower() if domain else None)})

    async def _get_bans(self, _request: web.Request) -> web.Response:
        return _json(self._served.bans())

    async def _put_ban(self, request: web.Request) -> web.Response:
        try:
            return _json(self._served.ban(parse_ban(await request.read())))
        except (BadRequestError, BanError) as error:
            return _json({"error": str(error)}, 400)

    async def _delete_ban(self, request: web.Request) -> web.Response:
        try:
            return _json({"lifted": self._served.unban(request.query.get("address", ""))})
        except BanError as error:
            return _json({"error": str(error)}, 400)

    async def _export_bans(self, _request: web.Request) -> web.Response:
        return _json({"ruleset": self._served.exported_bans()})

    async def _get_script(self, _request: web.Request) -> web.Response:
        return _json(self._served.script())

    async def _get_metrics(self, _request: web.Request) -> web.Response:
        body = render(self._served.status(), self._served.replication())
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE})


def _offer(queue: asyncio.Queue[bytes | None], line: bytes | None) -> None:
    """A reader that does not read loses its stream, never the core's memory."""
    if line is None or queue.qsize() >= MAX_WAITING_LINES - 1:
        while not queue.empty():
            queue.get_nowait()
        line = None
    queue.put_nowait(line)


def _json(value: Any, code: int = 200) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), status=code, content_type="application/json")
