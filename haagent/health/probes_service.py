"""IO shell: probes of services: SIP OPTIONS, TCP connect, HTTP, Redis PING."""

import asyncio
import importlib
import os
import secrets
from contextlib import suppress
from typing import Any

import aiohttp

from haagent.config.checks import HttpCheck, RedisCheck, SipOptionsCheck, TcpCheck
from haagent.health.check import Result
from haagent.health.probes import PlainProbe, Probe
from haagent.health.sip_options import accepts, final_answer, options_request

T1 = 0.5  # RFC 3261 section 17.1.2.2: the first retransmission over UDP
MAX_ANSWER = 1 << 16


def open_probe(config: SipOptionsCheck | TcpCheck | HttpCheck | RedisCheck) -> Probe:
    """The probe for this table."""
    if isinstance(config, SipOptionsCheck):
        return SipUdpProbe(config) if config.transport == "udp" else SipTcpProbe(config)
    if isinstance(config, TcpCheck):
        return TcpProbe(config)
    return HttpProbe(config) if isinstance(config, HttpCheck) else RedisProbe(config)


class TcpProbe(PlainProbe):
    """Connects and closes again."""

    def __init__(self, config: TcpCheck) -> None:
        self._config = config

    async def run(self) -> Result:
        """One connection."""
        target = self._config.target
        try:
            _reader, writer = await asyncio.open_connection(target.host, target.port)
        except OSError as error:
            return Result(False, f"{target}: {_said(error)}")
        writer.close()
        return Result(True, f"{target} accepts connections")


class SipTcpProbe(PlainProbe):
    """One OPTIONS over a connection of its own."""

    def __init__(self, config: SipOptionsCheck) -> None:
        self._config = config

    async def run(self) -> Result:
        """One request."""
        target, token = self._config.target, secrets.token_hex(12)
        try:
            reader, writer = await asyncio.open_connection(target.host, target.port)
        except OSError as error:
            return Result(False, f"{target}: {_said(error)}")
        try:
            writer.write(_options(self._config, writer.get_extra_info("sockname"), token))
            while True:
                data = await reader.readuntil(b"\r\n\r\n")
                answer = final_answer(data.lstrip(b"\r\n"), token)
                if answer is not None:
                    return _judged(self._config, answer)
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            return Result(False, f"{target}: the connection ended without an answer ({type(error).__name__})")
        finally:
            writer.close()


class SipUdpProbe(PlainProbe):
    """OPTIONS over UDP, sent again as RFC 3261 section 17.1.2.2 says until the check's time is over."""

    def __init__(self, config: SipOptionsCheck) -> None:
        self._config = config

    async def run(self) -> Result:
        """One request."""
        target, token = self._config.target, secrets.token_hex(12)
        loop = asyncio.get_running_loop()
        try:
            transport, waiting = await loop.create_datagram_endpoint(
                lambda: _Waiting(token), remote_addr=(target.host, target.port)
            )
        except OSError as error:
            return Result(False, f"{target}: {_said(error)}")
        try:
            request = _options(self._config, transport.get_extra_info("sockname"), token)
            again = T1
            while True:
                transport.sendto(request)
                with suppress(TimeoutError):
                    async with asyncio.timeout(again):
                        return _judged(self._config, await asyncio.shield(waiting.answer))
                again *= 2
        except OSError as error:
            return Result(False, f"{target}: {_said(error)}")
        finally:
            transport.close()


class _Waiting(asyncio.DatagramProtocol):
    """Waits for the answer to one request."""

    def __init__(self, token: str) -> None:
        self._token = token
        self.answer: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _addr: Any) -> None:
        answer = final_answer(data, self._token)
        if answer is not None and not self.answer.done():
            self.answer.set_result(answer)

    def error_received(self, error: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(error)
            self.answer.exception()  # it may come after the run was abandoned


class HttpProbe(PlainProbe):
    """GET on a new connection: an accepted one that is never answered is a failure too."""

    def __init__(self, config: HttpCheck) -> None:
        self._config = config

    async def run(self) -> Result:
        """One request; redirections are answers, not followed."""
        url = self._config.url
        unlimited = aiohttp.ClientTimeout(total=None)  # the check has its own limit
        try:
            async with (
                aiohttp.ClientSession(timeout=unlimited, headers={"User-Agent": "haagent"}) as session,
                session.get(url, allow_redirects=False) as answer,
            ):
                body = await _first_bytes(answer.content) if self._config.contains else b""
        except aiohttp.ClientConnectorError as error:
            return Result(False, f"{url}: {_said(error.os_error)}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Result(False, f"{url}: {error or type(error).__name__}")
        if not accepts(self._config.accept, answer.status):
            return Result(False, f"{url}: {answer.status} {answer.reason}")
        if self._config.contains.encode() not in body:
            return Result(False, f"{url}: the body does not contain {self._config.contains!r}")
        return Result(True, f"{url}: {answer.status} {answer.reason}")


class RedisProbe(PlainProbe):
    """PING on a new connection; the URL may carry user, password and database."""

    def __init__(self, config: RedisCheck) -> None:
        self._config = config
        self._shown = config.url.rpartition("@")[2]
        self._redis = importlib.import_module("redis.asyncio")  # slow, and only those who use it shall wait

    async def run(self) -> Result:
        """One PING."""
        client = self._redis.Redis.from_url(self._config.url, retry=None, single_connection_client=False)
        try:
            await client.ping()
        except (self._redis.RedisError, OSError) as error:
            return Result(False, f"{self._shown}: {error or type(error).__name__}")
        finally:
            await client.aclose()
        return Result(True, f"{self._shown} answers PING")


async def _first_bytes(content: Any) -> bytes:
    body = b""
    while len(body) < MAX_ANSWER and (part := await content.read(MAX_ANSWER - len(body))):
        body += part
    return body


def _options(config: SipOptionsCheck, own: tuple[Any, ...], token: str) -> bytes:
    host = f"[{own[0]}]" if ":" in own[0] else own[0]
    return options_request(
        target=str(config.target), transport=config.transport, sent_by=f"{host}:{own[1]}", token=token
    )


def _judged(config: SipOptionsCheck, answer: tuple[int, str]) -> Result:
    status, reason = answer
    return Result(accepts(config.accept, status), f"{config.target} answers OPTIONS with {status} {reason}")


def _said(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else str(error) or type(error).__name__
