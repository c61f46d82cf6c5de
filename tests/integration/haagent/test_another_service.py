"""The how-to about another service, run with its own files: two real Redis servers behind one address."""

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from haagent.lab.namespaces import stop
from haagent.lab.topology import VIP, Lan, address
from tests.integration.haagent.pair import Pair

ROOT = Path(__file__).parents[3]
EXAMPLE = ROOT / "docs/examples/redis"
OTHER = {"a": "b", "b": "a"}

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(150),
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="redis-server is not installed"),
]


class Service:
    """The pair with a Redis server on each node."""

    def __init__(self, pair: Pair, folder: Path) -> None:
        self.pair = pair
        self._folder = folder
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        for name in ("redis-role", "redis-health"):
            shutil.copyfile(EXAMPLE / name, folder / name)
            (folder / name).chmod(
                0o755
            )  # a checkout may leave it writable to the group: the agent refuses that
        for name, node in pair.nodes.items():
            directories = f'run_dir = "{node.base}/run"\nstate_dir = "{node.base}/state"'
            text = (EXAMPLE / "haagent.toml").read_text()
            for old, new in {
                'node = "a"': f'node = "{name}"\n{directories}',
                "priority = 254": f"priority = {254 if name == 'a' else 253}",
                "192.0.2.100": VIP,
                "192.0.2.12": address(OTHER[name]),
                "198.51.100.11": address(name, "sync"),
                "198.51.100.12": address(OTHER[name], "sync"),
                "/etc/haagent/peer.key": f"{folder}/peer.key",
                "/etc/haagent/": f"{folder}/",
                "/run/redis/redis-server.pid": f"{node.base}/redis.pid",
                'kind = "command"': 'kind = "command"\nuser = "root"',
            }.items():
                assert old in text, old
                text = text.replace(old, new)
            node.config.write_text(text)

    def start_server(self, name: str) -> None:
        base = self.pair.nodes[name].base
        argv = [
            "redis-server",
            "--bind",
            "0.0.0.0",
            "--protected-mode",
            "no",
            "--save",
            "",
            "--dir",
            str(base),
        ]
        argv += ["--pidfile", str(base / "redis.pid"), "--repl-diskless-sync-delay", "0"]
        self._servers[name] = self.pair.lan.hosts[name].spawn(argv)

    def kill_server(self, name: str) -> None:
        self._servers[name].send_signal(signal.SIGKILL)
        self._servers[name].wait(10)

    def ask(self, host: str, *words: str) -> str:
        """What the Redis server behind the VIP answers to the client, or that of a node to itself."""
        where = ["-h", VIP] if host == "client" else []
        with self.pair.lan.hosts[host].entered():
            argv = ["timeout", "3", "redis-cli", *where, *words]
            return subprocess.run(argv, capture_output=True, text=True, check=False).stdout.strip()

    def replicates(self, name: str) -> bool:
        said = self.ask(name, "info", "replication")
        return "role:slave" in said and "master_link_status:up" in said

    def close(self) -> None:
        self.pair.stop()
        for server in self._servers.values():
            stop(server)


@pytest.fixture(name="service")
def _service(tmp_path: Path) -> Iterator[Service]:
    with Lan() as lan:
        service = Service(Pair(lan, tmp_path), tmp_path)
        try:
            yield service
        finally:
            service.close()


def test_a_killed_redis_server_is_replaced_by_its_replica_and_comes_back_as_one(service: Service) -> None:
    pair = service.pair
    for name in pair.nodes:
        service.start_server(name)
    pair.a.start()
    pair.until(lambda: pair.a.role() == "MASTER", 30)
    pair.b.start()
    pair.until(lambda: pair.settled("a") and service.replicates("b"), 30)
    pair.until(lambda: service.ask("client", "set", "greeting", "hello") == "OK", 10)
    pair.until(lambda: service.ask("b", "get", "greeting") == "hello", 10)

    service.kill_server("a")
    pair.until(lambda: pair.b.role() == "MASTER", 20)
    assert service.ask("client", "get", "greeting") == "hello"
    pair.until(lambda: service.ask("client", "set", "greeting", "welcome") == "OK", 20)
    assert pair.a.role() == "FAULT"

    service.start_server("a")
    pair.until(lambda: pair.settled("b") and service.replicates("a"), 30)
    assert service.ask("a", "get", "greeting") == "welcome"
