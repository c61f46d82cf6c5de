"""The page of the dashboard: one file, nothing from elsewhere, nothing that it is told can run."""

import asyncio
import base64
import hashlib
import re
from typing import cast

from aiohttp import web

from haagent.dashboard import serve_dashboard
from haagent.telemetry.events import Event


def page() -> tuple[str, str]:
    answer = asyncio.run(serve_dashboard(cast(web.Request, None)))
    return cast(bytes, answer.body).decode(), answer.headers["Content-Security-Policy"]


def part(tag: str) -> str:
    found = re.findall(rf"<{tag}>(.*?)</{tag}>", page()[0], re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def test_the_policy_lets_only_this_style_and_this_script_run() -> None:
    policy = page()[1]
    assert policy.startswith("default-src 'none'; connect-src 'self';")
    for tag in ("style", "script"):
        digest = base64.b64encode(hashlib.sha256(part(tag).encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "unsafe" not in policy


def test_the_page_loads_nothing_from_elsewhere() -> None:
    text = page()[0]
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xhtml"}  # of XML, never loaded
    assert set(re.findall(r"https?://[^\"'\s]+", text)) == names
    assert set(re.findall(r"(?:src|href)=\"([^\"]*)\"", text)) == {"data:,", "status", "history", "metrics"}
    assert "url(" not in part("style")
    assert "@import" not in part("style")


def test_what_the_agent_says_never_becomes_markup() -> None:
    script = part("script")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function"):
        assert way not in script


def test_the_page_listens_to_each_event_that_the_stream_has() -> None:
    found = re.search(r"const EVENTS = \[(.*?)\]", part("script"), re.DOTALL)
    assert found is not None
    listened = re.findall(r'"(\w+)"', found[1])
    assert sorted(listened) == sorted(set(Event))
