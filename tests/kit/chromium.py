"""IO shell: headless Chromium on a host of the laboratory, by its DevTools protocol over a pipe."""

import base64
import json
import os
import select
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from haagent.lab.namespaces import Host, stop

CHROMIUM = shutil.which("chromium")
ANSWER_SECONDS = 30.0
_FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--mute-audio", "--disable-sync", "--disable-background-networking", "--disable-component-update"),
    *("--hide-scrollbars", "--remote-debugging-pipe"),
]


class Chromium:
    """One page of one browser; a context manager."""

    def __init__(self, host: Host, profile: Path) -> None:
        self._host = host
        self._profile = profile
        self._number = 0
        self._buffer = b""
        self.errors: list[str] = []  # what the console of the page complains of

    def __enter__(self) -> Self:
        to_browser, self._write = os.pipe()
        self._read, from_browser = os.pipe()
        for end in (to_browser, from_browser):
            os.set_inheritable(end, True)
        # the browser reads its commands from descriptor 3 and answers on 4
        script = f'exec "$@" 3<&{to_browser} 4>&{from_browser}'
        self._log = (self._profile.parent / "chromium.log").open("ab")
        argv = [str(CHROMIUM), *_FLAGS, f"--user-data-dir={self._profile}", "about:blank"]
        inherited = (to_browser, from_browser)
        self._process = self._host.spawn(
            ["bash", "-c", script, "bash", *argv], stdout=self._log, stderr=self._log, pass_fds=inherited
        )
        for end in inherited:
            os.close(end)
        targets = self._ask("Target.getTargets")["targetInfos"]
        page = next(target["targetId"] for target in targets if target["type"] == "page")
        self._session = self._ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._tell(f"{domain}.enable")
        return self

    def __exit__(self, *exc: object) -> None:
        stop(self._process, grace=5)
        os.close(self._write)
        os.close(self._read)
        self._log.close()

    def open(self, url: str) -> None:
        """Go there."""
        self._tell("Page.navigate", url=url)

    def look(self, *, width: int, height: int, dark: bool = False) -> None:
        """Size of the window, and which theme the user likes."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._tell("Emulation.setDeviceMetricsOverride", **size)
        theme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._tell("Emulation.setEmulatedMedia", features=[theme])

    def screenshot(self, path: Path) -> None:
        """The whole page as PNG."""
        shot = self._tell("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def value(self, script: str) -> Any:
        """What an expression is in the page."""
        answer = self._tell("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise AssertionError(f"{script}: {answer['exceptionDetails']}")
        return answer["result"].get("value")

    def text(self, selector: str = "body") -> str:
        """What a reader sees of an element."""
        found = self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")
        return str(found)

    def wait(self, true: Callable[[], bool], seconds: float = 30.0) -> None:
        """Until it is so."""
        end = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < end, f"not within {seconds} s:\n{self.text()}\n{self.errors}"
            time.sleep(0.05)

    def _tell(self, method: str, **params: Any) -> dict[str, Any]:
        return self._ask(method, session=self._session, **params)

    def _ask(self, method: str, *, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session is not None:
            message["sessionId"] = session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while (answer := self._next()).get("id") != self._number:
            self._note(answer)
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        result: dict[str, Any] = answer["result"]
        return result

    def _next(self) -> dict[str, Any]:
        end = time.monotonic() + ANSWER_SECONDS
        while b"\0" not in self._buffer:
            left = max(0.0, end - time.monotonic())
            assert select.select([self._read], [], [], left)[0], "no answer of chromium"
            data = os.read(self._read, 1 << 16)
            assert data, f"chromium has ended: {(self._profile.parent / 'chromium.log').read_text()[-2000:]}"
            self._buffer += data
        first, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(first)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(json.dumps(event["params"]["exceptionDetails"]))
        elif event.get("method") == "Log.entryAdded" and event["params"]["entry"]["level"] == "error":
            self.errors.append(event["params"]["entry"]["text"])
