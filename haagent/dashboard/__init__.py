"""IO shell: the one page of the dashboard, put together once; it loads nothing from anywhere else.

The Content-Security-Policy names its style and its script by their hashes: nothing else can run in it.
"""

import base64
import hashlib
from functools import cache
from importlib.resources import files

from aiohttp import web

from haagent.telemetry.events import Event


@cache
def _page() -> tuple[bytes, str]:
    """The page and its policy."""
    folder = files(__package__)
    parts = {name: (folder / f"page.{name}").read_text(encoding="utf-8") for name in ("html", "css", "js")}
    parts["js"] = parts["js"].replace("/*events*/", ", ".join(f'"{event}"' for event in Event))
    page = parts["html"].replace("/*style*/", parts["css"]).replace("/*script*/", parts["js"])
    policy = (
        "default-src 'none'; connect-src 'self'; img-src data:; "
        f"style-src {_source(parts['css'])}; script-src {_source(parts['js'])}; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return page.encode(), policy


async def serve_dashboard(_request: web.Request) -> web.Response:
    """GET / and /dashboard."""
    page, policy = _page()
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-cache",
    }
    return web.Response(body=page, content_type="text/html", charset="utf-8", headers=headers)


def _source(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
