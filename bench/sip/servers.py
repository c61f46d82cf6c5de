"""IO shell: the servers of the comparison: ours and Kamailio, each on the core of the servers."""

import hashlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.sip.usage import Usage, memory, usage

DOMAIN = "example.test"
HOST = "127.0.0.1"
ROOT = Path(__file__).parents[2]
PATIENCE = 15.0
OPEN_REGISTRAR = """\
# A registrar that asks nobody for a password, and a proxy.
from sipcore.script import *


@request_route
async def main(call: Call) -> None:
    if await is_method(call, "REGISTER"):
        await save(call, "location")
    elif await has_totag(call):
        await loose_route(call)
        await relay(call)
    elif await lookup(call, "location"):
        await record_route(call)
        await relay(call)
    else:
        await sl_send_reply(call, 404)
"""
_OPTIONS = (
    "OPTIONS sip:{host}:{port} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{own};branch=z9hG4bKready{own}\r\n"
    "From: <sip:bench@{host}>;tag=1\r\nTo: <sip:{host}:{port}>\r\nCall-ID: ready{own}\r\nCSeq: 1 OPTIONS\r\n"
    "Max-Forwards: 0\r\nContent-Length: 0\r\n\r\n"
)


class ServerError(Exception):
    """A server that does not start; the text is the end of its log."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server that runs."""

    name: str
    process: subprocess.Popen[bytes]
    port: int

    def usage(self) -> Usage:
        """The CPU time of all its processes."""
        return usage(self.process.pid)

    def memory(self) -> int:
        """Bytes that all its processes hold."""
        return memory(self.process.pid)


def user(number: int) -> str:
    """The name of a subscriber."""
    return f"u{number:05d}"


def ha1(name: str) -> str:
    """What a server stores of a subscriber's password."""
    return hashlib.md5(f"{name}:{DOMAIN}:secret".encode(), usedforsecurity=False).hexdigest()


@contextmanager
def sipcore(
    folder: Path, *, core: int, users: int, digest: bool, profile: Path | None = None
) -> Iterator[Server]:
    """Our own server, alone, with its defaults."""
    port = free_port()
    config = write_config(folder, port=port, users=users, digest=digest)
    argv = [sys.executable]
    if profile is not None:
        argv += ["-m", "cProfile", "-o", str(profile)]
    argv += ["-m", "sipcore", "run", str(config)]
    with _running("sipcore", argv, folder, core, port) as server:
        yield server


def write_config(folder: Path, *, port: int, users: int, digest: bool) -> Path:
    """Our config with the files that it names."""
    folder.mkdir()
    lines = (f"{user(n)}:{DOMAIN}:{ha1(user(n))}\n" for n in range(users))
    (folder / "users").write_text("".join(lines))
    (folder / "secret").write_text("a key of the benchmark")
    (folder / "route.py").write_text(OPEN_REGISTRAR)
    config = folder / "sipcore.toml"
    config.write_text(
        f'node = "bench"\ndomains = ["{DOMAIN}"]\nrun_dir = "{folder}/run"\nstandalone = true\n'
        f'[[listen]]\naddress = "{HOST}"\nport = {port}\n'
        f'[auth]\nrealm = "{DOMAIN}"\nusers_file = "{folder}/users"\nsecret_file = "{folder}/secret"\n'
        + ("" if digest else f'[script]\npath = "{folder}/route.py"\n')
    )
    return config


@contextmanager
def kamailio(folder: Path, *, core: int, users: int, digest: bool) -> Iterator[Server]:
    """Kamailio with its fast allocators and one worker."""
    port = free_port()
    argv = kamailio_command(folder, port, users, digest=digest)
    with _running("kamailio", argv, folder, core, port) as server:
        yield server


def kamailio_command(folder: Path, port: int, users: int, *, digest: bool, peer: int = 0) -> list[str]:
    """Its files, and how it is started; `peer`: the port of a second one that it replicates to."""
    folder.mkdir()
    text = (ROOT / "bench/kamailio/kamailio.cfg").read_text()
    values = {"HOST": HOST, "PORT": port, "PEER": peer, "FOLDER": folder, "MODULES": _modules()}
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    (folder / "kamailio.cfg").write_text(text)
    _write_tables(folder, users)
    argv = ["kamailio", "-DD", "-f", str(folder / "kamailio.cfg"), "-x", "fm", "-X", "fm"]
    argv += ["-m", "512", "-M", "16", "-P", str(folder / "pid"), "-Y", str(folder), "-w", str(folder)]
    argv += ["-A", "DIGEST"] if digest else []
    return argv + (["-A", "DMQ"] if peer else [])


def free_port() -> int:
    """A UDP port that nobody has now."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


@contextmanager
def _running(name: str, argv: list[str], folder: Path, core: int, port: int) -> Iterator[Server]:
    with running_at(name, pinned(core, argv), folder / "log", port) as server:
        yield server


def pinned(core: int, argv: list[str]) -> list[str]:
    """On this core only."""
    return ["taskset", "-c", str(core), *argv]


@contextmanager
def running_at(name: str, argv: list[str], log_path: Path, port: int) -> Iterator[Server]:
    """A server that answers on this port of HOST until the context ends."""
    with running(argv, log_path) as process:
        if not _answers(process, port):
            raise ServerError(f"{name} does not answer:\n" + log_path.read_text(errors="replace")[-2000:])
        yield Server(name, process, port)


@contextmanager
def running(argv: list[str], log_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process until the context ends."""
    with log_path.open("wb") as log:
        process = subprocess.Popen(argv, cwd=ROOT, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Ask for the options, with a hop limit that keeps the question here, until there is an answer."""
    end = time.monotonic() + PATIENCE
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind((HOST, 0))
        phone.settimeout(0.2)
        text = _OPTIONS.format(host=HOST, port=port, own=phone.getsockname()[1])
        while time.monotonic() < end and process.poll() is None:
            try:
                phone.sendto(text.encode(), (HOST, port))
                phone.recv(65535)
            except OSError:
                time.sleep(0.05)
            else:
                return True
    return False


def _modules() -> str:
    places = [*Path("/usr/lib").glob("*/kamailio/modules"), Path("/usr/lib/kamailio/modules")]
    return f"{places[0]}/"


def _write_tables(folder: Path, users: int) -> None:
    """The subscribers as db_text keeps tables, for Kamailio's htable."""
    (folder / "version").write_text("table_name(string) table_version(int)\nusers:2\n")
    lines = [f"{n}:{user(n)}:0:0:{ha1(user(n))}:0\n" for n in range(users)]
    head = "id(int,auto) key_name(string) key_type(int) value_type(int) key_value(string) expires(int)\n"
    (folder / "users").write_text(head + "".join(lines))
