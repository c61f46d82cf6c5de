"""The attack tools of sipvicious against a running core: it is found, but does not say who its users are."""

import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.sip_live import DOMAIN, CoreProcess, LivePhones, free_port
from tests.kit.sip_messages import request

pytestmark = [pytest.mark.interop, pytest.mark.timeout(120)]

USERS, STRANGERS = ("alice", "carol"), ("nobod", "mallo")  # names of one length
_ROW = re.compile(r"^[|│] (\w+)\s*[|│] (\S+)", re.MULTILINE)


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CoreProcess]:
    with CoreProcess(tmp_path_factory.mktemp("sipvicious")) as running:
        yield running


def run(folder: Path, tool: str, *words: str) -> str:
    argv = [tool, "-b", "127.0.0.1", "-x", "127.0.0.1", "-P", str(free_port()), *words, "127.0.0.1"]
    environment = {"HOME": str(folder), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        argv, cwd=folder, capture_output=True, text=True, timeout=100, check=False, env=environment
    )
    return done.stdout + done.stderr


def listed(folder: Path, *words: str) -> str:
    path = folder / "words"
    path.write_text("".join(f"{word}\n" for word in words))
    return str(path)


def test_svmap_finds_a_sip_server(core: CoreProcess, tmp_path: Path) -> None:
    said = run(tmp_path, "svmap", "-p", str(core.port))
    assert f"127.0.0.1:{core.port}" in said, said


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
def test_svwar_cannot_tell_users_from_others(core: CoreProcess, tmp_path: Path, method: str) -> None:
    names = listed(tmp_path, *USERS, *STRANGERS)
    where = ("-p", str(core.port), "--domain", DOMAIN)
    said = run(tmp_path, "svwar", "-m", method, "--force", *where, "-d", names)
    found = dict(_ROW.findall(said))
    assert len({found.get(name, "not found") for name in (*USERS, *STRANGERS)}) == 1, said


@pytest.mark.parametrize("method", [b"REGISTER", b"INVITE", b"OPTIONS", b"MESSAGE", b"SUBSCRIBE"])
def test_answers_about_users_and_strangers_differ_in_nothing_but_the_name(
    core: CoreProcess, method: bytes
) -> None:
    answers = set()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.settimeout(5)
        for number, name in enumerate((*USERS, *STRANGERS)):
            branch = b"z9hG4bK-%b-%d" % (method, number)
            uri = b"sip:%b@%b" % (name.encode(), DOMAIN.encode())
            where = b"sip:" + DOMAIN.encode() if method == b"REGISTER" else uri
            via = b"SIP/2.0/UDP 127.0.0.1:5071;rport;branch=" + branch
            call_id = b"%b-%d" % (method, number)
            data = request(method, where, via=via, to=b"<%b>" % uri, call_id=call_id)
            phone.sendto(data, (core.address, core.port))
            answer = phone.recv(65535)
            while answer.startswith(b"SIP/2.0 1") or call_id not in answer:
                answer = phone.recv(65535)
            head = answer.split(b"\r\n")
            answers.add((head[0], tuple(line.partition(b":")[0] for line in head[1:]), len(answer)))
    assert len(answers) == 1, answers


def test_svcrack_finds_a_password_only_if_it_is_in_its_list(core: CoreProcess, tmp_path: Path) -> None:
    where = ("-u", "alice", "-p", str(core.port), "--domain", DOMAIN)
    guesses = [f"guess{number}" for number in range(50)]
    assert _ROW.findall(run(tmp_path, "svcrack", *where, "-d", listed(tmp_path, *guesses))) == []
    said = run(tmp_path, "svcrack", *where, "-d", listed(tmp_path, "guess", "secret-a"))
    assert ("alice", "secret-a") in _ROW.findall(said), said  # the tool works


@pytest.mark.parametrize(
    ("auth", "more"),
    [("ban_after = 5", ""), ("", '[pike]\nsampling_time_unit = "2s"\nreqs_density_per_unit = 10\n')],
    ids=["ban_after", "pike"],
)
def test_svcrack_is_stopped_before_it_comes_to_the_password(auth: str, more: str, tmp_path: Path) -> None:
    core = CoreProcess(tmp_path, more=more)
    core.config.write_text(core.config.read_text().replace("[auth]\n", f"[auth]\n{auth}\n"))
    guesses = [*(f"guess{number}" for number in range(60)), "secret-a"]
    with core:
        where = ("-u", "alice", "-p", str(core.port), "--domain", DOMAIN)
        said = run(tmp_path, "svcrack", *where, "-d", listed(tmp_path, *guesses))
        assert _ROW.findall(said) == [], said
        assert "127.0.0.1" in core.cli("ban", "list").stdout
        assert core.counters()["dropped_sources"] > 0


def test_a_core_that_was_attacked_serves_on(core: CoreProcess) -> None:
    with LivePhones((core.address, core.port), "alice", "bob") as phones:
        phones.register("alice", "bob")
        phones.call("1", "alice", "bob")
    assert core.counters()["failures"] == 0, core.log()
