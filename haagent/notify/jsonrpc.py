"""IO shell: JSON-RPC 2.0 to a SIP server, over HTTP or over Unix datagrams; one request, one answer."""

import asyncio
import itertools
import socket
from collections.abc import Sequence
from typing import Any, Protocol

import aiohttp
import msgspec

MAX_ANSWER = 1 << 20
MAX_DATAGRAM = 65536
MAX_SAID = 200  # characters of an error that are repeated

Params = Sequence[str | int]


class RpcError(Exception):
    """The server could not be asked, or did not answer in the way of JSON-RPC."""


class RpcRefusedError(RpcError):
    """The server answered with an error; the text is its own."""


class Rpc(Protocol):
    """A way to a server; the caller limits the time."""

    async def call(self, method: str, params: Params = ()) -> Any:
        """The result; raises RpcError."""

    async def close(self) -> None:
        """Give back what is open."""


def open_rpc(target: str) -> Rpc:
    """`unix:/PATH` or a URL."""
    path = target.removeprefix("unix:")
    return DatagramRpc(path) if path != target else HttpRpc(target)


class HttpRpc:
    """POST, as OpenSIPS's mi_http and Kamailio's xhttp take it; the connection is kept."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None
        self._numbers = itertools.count(1)

    async def call(self, method: str, params: Params = ()) -> Any:
        """One request."""
        if self._session is None:
            self._session = aiohttp.ClientSession()
        number = next(self._numbers)
        headers = {"Content-Type": "application/json"}
        try:
            async with self._session.post(
                self._url, data=_request(number, method, params), headers=headers
            ) as answer:
                body = await answer.content.read(MAX_ANSWER)
                status = answer.status
        except (aiohttp.ClientError, OSError) as error:
            raise RpcError(f"{self._url}: {error or type(error).__name__}") from error
        return _result(self._url, body, number, f"HTTP {status}")

    async def close(self) -> None:
        """End the connection."""
        if self._session is not None:
            await self._session.close()


class DatagramRpc:
    """A datagram there, a datagram back, as Kamailio's `dgram_socket` takes it.

    Each request has a socket of its own, so that a late answer is nobody's. The kernel gives it an abstract
    name, on which the server needs no permission to answer (unix(7), autobind).
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._numbers = itertools.count(1)

    async def call(self, method: str, params: Params = ()) -> Any:
        """One request."""
        number = next(self._numbers)
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.setblocking(False)
            try:
                own.bind("")
                own.connect(self._path)
                await loop.sock_sendall(own, _request(number, method, params))
                body = await loop.sock_recv(own, MAX_DATAGRAM)
            except OSError as error:
                raise RpcError(f"{self._path}: {error.strerror}") from error
        return _result(self._path, body, number, "no JSON-RPC")

    async def close(self) -> None:
        """Nothing stays open."""


def _request(number: int, method: str, params: Params) -> bytes:
    message: dict[str, object] = {"jsonrpc": "2.0", "id": number, "method": method}
    if params:
        message["params"] = list(params)
    return msgspec.json.encode(message)


def _result(where: str, body: bytes, number: int, otherwise: str) -> Any:
    """Raises what the answer says is wrong."""
    try:
        answer = msgspec.json.decode(body)
    except msgspec.DecodeError:
        answer = None
    if not isinstance(answer, dict) or not answer.keys() & {"result", "error"}:
        said = body[:MAX_SAID].decode(errors="replace").strip()
        raise RpcError(f"{where}: {otherwise}: {said}")
    error = answer.get("error")
    if error is not None:
        text = error.get("message", error) if isinstance(error, dict) else error
        raise RpcRefusedError(f"{where}: {str(text)[:MAX_SAID]}")
    if answer.get("id") != number:
        raise RpcError(f"{where}: answer {answer.get('id')!r} to request {number}")
    return answer["result"]
