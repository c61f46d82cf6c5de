"""IO shell: a lock with lease and epoch in Redis; each claim is one atomic step on the server.

    KEYS[1]  "holder epoch", lives as long as the lease     KEYS[2]  the greatest epoch, lives for ever

A lock that another one holds is taken only by `steal` with a greater epoch: the claim of a master that its
peer has made one. A master that claims with a lesser epoch than the greatest has been superseded: refused.
"""

import asyncio
import importlib
import time
from typing import Any

from haagent.witness.said import Outcome, Said

CLAIM = """
local holder, at = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) (%d+)$')
local known = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), tonumber(at or '0'))
local epoch, steal = tonumber(ARGV[2]), ARGV[4] == '1'
if holder and holder ~= ARGV[1] and not (steal and epoch > known) then
  return {0, holder, known}
end
if steal and epoch < known then
  return {0, holder or 'another node', known}
end
known = math.max(known, epoch)
redis.call('SET', KEYS[1], string.format('%s %d', ARGV[1], known), 'PX', ARGV[3])
redis.call('SET', KEYS[2], string.format('%d', known))
return {1, ARGV[1], known}
"""
RELEASE = """
local holder = string.match(redis.call('GET', KEYS[1]) or '', '^(%S+) %d+$')
return holder == ARGV[1] and redis.call('DEL', KEYS[1]) or 0
"""


class RedisLock:
    """One lock, as one node sees it."""

    def __init__(
        self, url: str, name: str, node: str, *, lease: float, timeout: float, password: str | None = None
    ) -> None:
        redis: Any = importlib.import_module("redis.asyncio")  # slow: only those who use it shall wait
        options = {"password": password} if password is not None else {}
        self._client = redis.Redis.from_url(url, retry=None, **options)
        self._errors = (redis.RedisError, OSError, ValueError)
        self._keys = (f"{{haagent:{name}}}:lock", f"{{haagent:{name}}}:epoch")
        self._node = node
        self._lease = lease
        self._timeout = timeout
        self.error: str | None = None  # why the last claim had no answer

    async def claim(self, epoch: int, *, steal: bool) -> Said:
        """Take or renew it; `until` counts from before the question, so that it ends here first."""
        asked = time.monotonic()
        lease = max(1, int(self._lease * 1000))
        answer = await self._run(CLAIM, self._keys, self._node, epoch, lease, int(steal))
        if answer is None:
            return Said(Outcome.AWAY)
        granted, holder, known = answer
        outcome = Outcome.GRANTED if granted else Outcome.REFUSED
        until = asked + self._lease if granted else 0.0
        return Said(outcome, holder.decode(errors="replace"), int(known), until)

    async def release(self) -> None:
        """Let the other one have it at once."""
        await self._run(RELEASE, self._keys[:1], self._node)

    async def close(self) -> None:
        """The connections."""
        await self._client.aclose()

    async def _run(self, script: str, keys: tuple[str, ...], *args: str | int) -> Any:
        """The script's answer; None when there was none in time."""
        try:
            async with asyncio.timeout(self._timeout):
                answer = await self._client.eval(script, len(keys), *keys, *args)
        except TimeoutError:
            self.error = f"no answer within {self._timeout * 1000:g} ms"
        except self._errors as error:
            self.error = str(error) or type(error).__name__
        else:
            self.error = None
            return answer
        return None
