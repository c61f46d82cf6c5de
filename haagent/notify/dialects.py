"""IO shell: how Kamailio, OpenSIPS and servers behind a command are asked and told."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

import msgspec

from haagent import program
from haagent.config.core import Calls, CommandConfig, KamailioConfig, OpensipsConfig, PolledConfig
from haagent.errors import HostError
from haagent.notify.jsonrpc import Rpc, RpcError, RpcRefusedError, open_rpc
from haagent.notify.told import Told

_T = TypeVar("_T")


class CoreSilentError(Exception):
    """The server does not run, or does not answer; the text says how that was seen."""


class CoreRefusedError(Exception):
    """The server heard its role and refuses it; the text is its own."""


@dataclass(slots=True)
class Seen:
    """The server as it answers; pid 0: unknown; role: what it says itself, if it does."""

    pid: int
    role: str | None = None


class _Uptime(msgspec.Struct):
    up_since: str = ""


class _Process(msgspec.Struct):
    pid: int = msgspec.field(name="PID", default=0)


class _SharingTag(msgspec.Struct, rename="pascal"):
    name: str = msgspec.field(name="Tag")
    cluster: int
    state: str


class Dialect(Protocol):
    """One kind of server; the caller limits the time of each call."""

    async def probe(self) -> Seen:
        """Ask it; raises CoreSilentError."""

    async def tell(self, told: Told) -> None:
        """Have it take this role; raises CoreSilentError or CoreRefusedError."""

    async def close(self) -> None:
        """Give back what is open."""


def open_dialect(config: PolledConfig, node: str) -> Dialect:
    """For this table."""
    if isinstance(config, KamailioConfig):
        return Kamailio(config)
    return Opensips(config) if isinstance(config, OpensipsConfig) else Commanded(config, node)


class Kamailio:
    """JSON-RPC of jsonrpcs; the main process is the first that core.psx lists."""

    def __init__(self, config: KamailioConfig) -> None:
        self._config = config
        self._rpc = open_rpc(config.rpc)
        self._since = ""
        self._pid = 0

    async def probe(self) -> Seen:
        """It answers; a new start is asked for its process."""
        uptime = await _ask(self._rpc, "core.uptime", _Uptime)
        if uptime.up_since != self._since or not _runs(self._pid):
            processes = await _ask(self._rpc, "core.psx", list[_Process])
            self._pid, self._since = processes[0].pid if processes else 0, uptime.up_since
        if not _runs(self._pid):  # its children may answer for a while
            raise CoreSilentError(f"the main process of Kamailio (pid {self._pid}) does not run")
        return Seen(self._pid)

    async def tell(self, told: Told) -> None:
        """Make the calls of this role."""
        await _make(self._rpc, _calls(self._config, told), told)

    async def close(self) -> None:
        """Close the connection."""
        await self._rpc.close()


class Opensips:
    """MI; the sharing tag of the cluster says who is active. The other node steps down by itself."""

    def __init__(self, config: OpensipsConfig) -> None:
        self._config = config
        self._rpc = open_rpc(config.mi)

    async def probe(self) -> Seen:
        """It answers with its tags, ours among them."""
        for tag in await _ask(self._rpc, self._config.list_tags, list[_SharingTag]):
            if f"{tag.name}/{tag.cluster}" == self._config.tag:
                role = "MASTER" if tag.state == "active" else "BACKUP"
                return Seen(_pid_in(self._config.pidfile), role)
        raise CoreSilentError(f"{self._config.mi}: there is no sharing tag {self._config.tag}")

    async def tell(self, told: Told) -> None:
        """Make the tag active; a backup has nothing to be told."""
        calls = _calls(self._config, told)
        if told.role == "MASTER":
            calls = ((self._config.set_active, self._config.tag), *calls)
        await _make(self._rpc, calls, told)

    async def close(self) -> None:
        """Close the connection."""
        await self._rpc.close()


class Commanded:
    """A program is run with the role and the epoch; another one, if wanted, says whether all is well."""

    def __init__(self, config: CommandConfig, node: str) -> None:
        self._config = config
        self._node = node

    async def probe(self) -> Seen:
        """Its process runs, and the health command ends with 0."""
        pid = _pid_in(self._config.pidfile)
        if self._config.pidfile and not _runs(pid):
            raise CoreSilentError(f"the process of {self._config.pidfile} does not run")
        if self._config.health:
            await self._run(self._config.health, {}, CoreSilentError)
        return Seen(pid)

    async def tell(self, told: Told) -> None:
        """`COMMAND ROLE EPOCH`."""
        extra = {"HAAGENT_NODE": self._node, "HAAGENT_REASON": told.reason}
        await self._run((*self._config.on_role, told.role, str(told.epoch)), extra, CoreRefusedError)

    async def close(self) -> None:
        """Nothing stays open."""

    async def _run(
        self,
        command: tuple[str, ...],
        extra: dict[str, str],
        failed: type[CoreSilentError | CoreRefusedError],
    ) -> None:
        try:
            process = await program.start(command, self._config.user, extra=extra, said=True)
        except HostError as error:
            raise failed(str(error)) from error
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            program.kill_group(process)
            raise
        if code:
            raise failed(f"{command[0]}: {program.explain_exit(code)}")


async def _ask(rpc: Rpc, method: str, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(await rpc.call(method), kind)
    except RpcError as error:
        raise CoreSilentError(f"{method}: {error}") from error
    except msgspec.ValidationError as error:
        raise CoreSilentError(f"{method}: an answer that is not understood: {error}") from error


async def _make(rpc: Rpc, calls: Calls, told: Told) -> None:
    for method, *params in calls:
        known = {"{role}": told.role, "{epoch}": str(told.epoch), "{reason}": told.reason}
        filled = [known.get(one, one) if isinstance(one, str) else one for one in params]
        try:
            await rpc.call(str(method), filled)
        except RpcRefusedError as error:
            raise CoreRefusedError(f"{method}: {error}") from error
        except RpcError as error:
            raise CoreSilentError(str(error)) from error


def _calls(config: KamailioConfig | OpensipsConfig, told: Told) -> Calls:
    return config.on_master if told.role == "MASTER" else config.on_backup


def _pid_in(path: str) -> int:
    """0 when there is none: then its death is seen by the next question."""
    try:
        text = Path(path).read_text(encoding="ascii").strip() if path else ""
    except (OSError, UnicodeDecodeError):
        return 0
    return int(text) if text.isdecimal() and _runs(int(text)) else 0


def _runs(pid: int) -> bool:
    try:
        os.close(os.pidfd_open(pid))
    except (OSError, ValueError):
        return False
    return True
