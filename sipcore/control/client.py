"""IO shell: a small client of the control API for the command line, over the Unix socket."""

import http.client
import json
import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sipcore.errors import SipcoreError

DEFAULT_SOCKET = Path("/run/sipcore/control.sock")


class CoreUnreachableError(SipcoreError):
    """There is no core behind the socket; the text says why and what to do."""


class RefusedError(SipcoreError):
    """The core understood the request and refuses it; the text is its reason."""


class ControlClient:
    """One request per call; each opens its own connection."""

    def __init__(self, path: Path, timeout: float = 10.0) -> None:
        self._path = path
        self._timeout = timeout

    def get(self, target: str) -> Any:
        """Decoded answer to GET."""
        return self._request("GET", target, None)

    def put(self, target: str, body: dict[str, Any]) -> Any:
        """Decoded answer to PUT."""
        return self._request("PUT", target, body)

    def delete(self, target: str) -> Any:
        """Decoded answer to DELETE."""
        return self._request("DELETE", target, None)

    def lines(self, target: str) -> Generator[Any, None, None]:
        """The decoded lines of a stream, until the server or the caller ends it."""
        connection = _UnixConnection(self._path, None)
        try:
            with self._named_errors():
                connection.request("GET", target)
                response = connection.getresponse()
                if response.status >= http.client.BAD_REQUEST:
                    raise RefusedError(str(json.loads(response.read()).get("error", response.reason)))
                while line := response.readline():
                    yield json.loads(line)
        finally:
            connection.close()

    def _request(self, method: str, target: str, body: dict[str, Any] | None) -> Any:
        connection = _UnixConnection(self._path, self._timeout)
        try:
            with self._named_errors():
                payload = None if body is None else json.dumps(body).encode()
                connection.request(method, target, payload, {"Content-Type": "application/json"})
                response = connection.getresponse()
                answer = json.loads(response.read())
        finally:
            connection.close()
        if response.status >= http.client.BAD_REQUEST:
            raise RefusedError(str(answer.get("error", response.reason)))
        return answer

    @contextmanager
    def _named_errors(self) -> Iterator[None]:
        """What can go wrong on the way, as one error that says what to do."""
        try:
            yield
        except FileNotFoundError as error:
            hint = "is `sipcore run` running? see --socket and --config"
            raise CoreUnreachableError(f"no SIP core at {self._path}: there is no socket; {hint}") from error
        except PermissionError as error:
            raise CoreUnreachableError(f"{self._path}: permission denied (its mode is 0660)") from error
        except ConnectionRefusedError as error:
            raise CoreUnreachableError(f"no SIP core at {self._path}: nobody listens there") from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise CoreUnreachableError(f"{self._path}: {error or type(error).__name__}") from error


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path, timeout: float | None) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))
