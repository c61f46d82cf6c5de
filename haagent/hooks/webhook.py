"""IO shell: a webhook: the change as JSON in a signed POST, tried again while the receiver is away."""

import hashlib
import hmac
import ssl
import time
from pathlib import Path

import aiohttp
import msgspec
from tenacity import AsyncRetrying, RetryError, retry_if_exception_type, stop_after_attempt
from tenacity import wait_exponential_jitter as backoff

from haagent.config.hooks import WebhookConfig
from haagent.errors import ConfigError
from haagent.hooks.transition import Transition
from haagent.hooks.worker import Outcome

SIGNATURE, TIMESTAMP, EVENT = "X-Haagent-Signature", "X-Haagent-Timestamp", "X-Haagent-Event"
MIN_SECRET = 16  # bytes
WAIT = backoff(multiplier=0.2, max=30.0, jitter=0.2)
_TRY_AGAIN = (408, 425, 429)
_SERVER_ERROR = 500
_REFUSED = 300


class _NotNowError(Exception):
    """The receiver may take it later."""


class _RefusedError(Exception):
    """The receiver does not want it."""


class Webhook:
    """One receiver; each attempt has the time limit of the hook."""

    kind = "webhook"

    def __init__(self, config: WebhookConfig, node: str) -> None:
        """Raises ConfigError when the secret or the certificates cannot be read."""
        self._config = config
        self._node = node
        self._secret = _secret(config)
        self._tls = _tls(config)

    async def deliver(self, transition: Transition) -> Outcome:
        """POST it until it is taken, refused, or tried often enough."""
        body = msgspec.json.encode(body_of(transition, self._node))
        retrying = AsyncRetrying(
            wait=WAIT,
            stop=stop_after_attempt(self._config.attempts),
            retry=retry_if_exception_type(_NotNowError),
        )
        try:
            async for attempt in retrying:
                with attempt:
                    return Outcome("ok", await self._post(body, transition))
        except _RefusedError as refused:
            return Outcome("failed", str(refused))
        except RetryError as error:
            last = error.last_attempt.exception()
            late = isinstance(last, _NotNowError) and isinstance(last.__cause__, TimeoutError)
            return Outcome("timeout" if late else "failed", f"{last} ({self._config.attempts} attempts)")
        raise AssertionError("tenacity ends a retry by a result or an error")

    async def _post(self, body: bytes, transition: Transition) -> str:
        """The receiver's answer in words."""
        timestamp = str(int(time.time()))
        headers = {"Content-Type": "application/json", TIMESTAMP: timestamp}
        headers[EVENT] = f"{transition.kind}.{transition.state}"
        if self._secret:
            headers[SIGNATURE] = sign(self._secret, timestamp, body)
        timeout = aiohttp.ClientTimeout(total=self._config.timeout)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.post(
                    self._config.url, data=body, headers=headers, ssl=self._tls, allow_redirects=False
                ) as answer,
            ):
                status = answer.status
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise _NotNowError(f"{self._config.url}: {error or type(error).__name__}") from error
        said = f"{self._config.url}: {status}"
        if status >= _SERVER_ERROR or status in _TRY_AGAIN:
            raise _NotNowError(said)
        if status >= _REFUSED:
            raise _RefusedError(said)
        return said


def body_of(transition: Transition, node: str) -> dict[str, object]:
    """What is said of a change; `time` is UTC, of the cause."""
    at = time.time() - time.monotonic() + transition.at
    return {
        "node": node,
        "kind": transition.kind,
        "name": transition.name,
        "old": transition.old,
        "state": transition.state,
        "priority": transition.priority,
        "epoch": transition.epoch,
        "reason": transition.reason,
        "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at)) + f".{int(at % 1 * 1000):03d}Z",
    }


def sign(secret: bytes, timestamp: str, body: bytes) -> str:
    """The signature header: over the time too, so that a receiver can refuse what is recorded and old."""
    return "sha256=" + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def _secret(config: WebhookConfig) -> bytes:
    if not config.secret_file:
        return b""
    try:
        secret = Path(config.secret_file).read_bytes().strip()
    except OSError as error:
        raise ConfigError(f"webhook.secret_file: {config.secret_file!r}: {error.strerror}") from error
    if len(secret) < MIN_SECRET:
        raise ConfigError(
            f"webhook.secret_file: {config.secret_file!r} holds {len(secret)} bytes, at least {MIN_SECRET}"
        )
    return secret


def _tls(config: WebhookConfig) -> ssl.SSLContext | bool:
    if not config.ca_file:
        return True
    try:
        return ssl.create_default_context(cafile=config.ca_file)
    except OSError as error:
        raise ConfigError(f"webhook.ca_file: {config.ca_file!r}: {error}") from error
