"""IO shell: a service that is not SIP behind the agent: the core control API and nothing else.

`python -m tests.kit.plain_core SOCKET` prints one JSON line for each role that it is told.
"""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from aiohttp import web


class PlainCore:
    """Answers the agent as a SIP core does; `ready` and `synced` are true from the start."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {
            "node": "plain",
            "pid": os.getpid(),
            "role": "BACKUP",
            "epoch": 0,
            "ready": True,
            "synced": True,
        }
        self._changed = asyncio.Event()

    def app(self) -> web.Application:
        """The three requests of the contract between agent and core."""
        app = web.Application()
        app.router.add_get("/v1/status", self._status)
        app.router.add_get("/v1/events", self._events)
        app.router.add_put("/v1/role", self._role)
        return app

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response(self.state)

    async def _role(self, request: web.Request) -> web.Response:
        told = await request.json()
        if told["epoch"] < self.state["epoch"]:
            return web.json_response({"error": f"epoch {told['epoch']} is old"}, status=409)
        self.state |= {"role": told["role"], "epoch": told["epoch"]}
        sys.stdout.write(json.dumps({"t": time.monotonic(), **told}) + "\n")
        sys.stdout.flush()
        self._changed.set()
        return web.json_response({"role": told["role"], "epoch": told["epoch"]})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        event = "status"
        while True:
            await response.write(json.dumps({"event": event, **self.state}).encode() + b"\n")
            self._changed.clear()
            try:
                async with asyncio.timeout(0.5):
                    await self._changed.wait()
                event = "role"
            except TimeoutError:
                event = "heartbeat"


async def serve(path: Path) -> None:
    """Serve until killed."""
    runner = web.AppRunner(PlainCore().app(), access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(path)).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    Path(sys.argv[1]).unlink(missing_ok=True)
    asyncio.run(serve(Path(sys.argv[1])))
