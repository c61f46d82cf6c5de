"""IO shell: the MI of two OpenSIPS nodes in one cluster, as far as an agent sees it.

There is no Debian package of OpenSIPS: this answers as its sources say. mi_http takes a POST of JSON-RPC 2.0,
params as an array or an object. `clusterer_shtag_set_active` takes a tag `name/cluster`, answers OK and makes
the tag backup on the other nodes. `clusterer_list_shtags` answers an array of objects: Tag, Cluster and State
("active" or "backup"). An unknown method is error -32601, an unknown tag error 500.
"""

import json
from typing import Any, Self

from aiohttp import web


class OpensipsMi:
    """One node; `twin` is the other one of the cluster."""

    def __init__(self, tag: str = "vip/1", *, active: bool = False) -> None:
        self.tag = tag
        self.active = active
        self.twin: OpensipsMi | None = None
        self.calls: list[tuple[str, Any]] = []
        self.broken = False
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/mi", self._on_post)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/mi"
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._runner.cleanup()

    async def _on_post(self, request: web.Request) -> web.Response:
        if self.broken:
            return web.Response(status=500, text="Internal server error!")
        asked = json.loads(await request.read())
        answer: dict[str, Any] = {"jsonrpc": "2.0", "id": asked["id"]}
        method, params = asked["method"], asked.get("params", [])
        self.calls.append((method, params))
        if method == "clusterer_list_shtags":
            name, cluster = self.tag.split("/")
            state = "active" if self.active else "backup"
            answer["result"] = [{"Tag": name, "Cluster": int(cluster), "State": state}]
        elif method == "clusterer_shtag_set_active":
            tag = params["tag"] if isinstance(params, dict) else params[0]
            answer |= self._set_active(tag)
        else:
            answer["error"] = {"code": -32601, "message": "Method not found"}
        return web.json_response(answer)

    def _set_active(self, tag: str) -> dict[str, Any]:
        if tag != self.tag:
            return {"error": {"code": 500, "message": "Unable to set sharing tag"}}
        self.active = True
        if self.twin is not None:
            self.twin.active = False
        return {"result": "OK"}
