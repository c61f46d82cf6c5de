"""IO shell: each torture message to a running server, and whether the RFC allows what it does.

python -m bench.torture [sipcore] [kamailio] [--json FILE]
"""

import argparse
import json
import re
import shutil
import sys
import tempfile
import tomllib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from bench.torture import servers
from bench.torture.judge import is_allowed, outcome
from bench.torture.wire import PHONE, Packet, Wire, enter_namespace
from sipcore.message import Request, parse

CORPUS = Path(__file__).parents[2] / "tests/conformance"
_TOP_VIA = re.compile(rb"^v(?:ia)?[ \t]*:\s*([^\r\n]+)", re.IGNORECASE | re.MULTILINE)
SERVERS: dict[str, Callable[[Path], AbstractContextManager[None]]] = {
    "sipcore": servers.sipcore,
    "kamailio": servers.kamailio,
}


class Case(NamedTuple):
    """One message, what the RFC allows, and what we do."""

    name: str
    section: str
    data: bytes
    allowed: tuple[str, ...]
    ours: str


def cases() -> list[Case]:
    """The messages of both RFCs."""
    found = []
    for rfc in ("rfc4475", "rfc5118"):
        for name, case in tomllib.loads((CORPUS / rfc / "cases.toml").read_text()).items():
            if "allowed" not in case:
                continue
            data = (CORPUS / rfc / "data" / f"{name}.dat").read_bytes()
            section = f"{rfc[3:]} {case['section']}"
            found.append(Case(name, section, data, tuple(case["allowed"]), case["wire"]))
    return found


def play(name: str, messages: list[Case]) -> dict[str, str]:
    """What one server does with each of the messages; a fresh one for those that look like others again."""
    said: dict[str, str] = {}
    for round_ in rounds(messages):
        wire = Wire()
        with tempfile.TemporaryDirectory(prefix="torture-") as folder, SERVERS[name](Path(folder) / name):
            try:
                servers.register_all(wire)
                said |= {case.name: _outcome(wire, case, messages) for case in round_}
            finally:
                wire.close()
    return said


def rounds(messages: list[Case]) -> list[list[Case]]:
    """The messages in groups: those of one have neither transaction nor Call-ID in common."""
    found: list[tuple[set[bytes], list[Case]]] = []
    for case in messages:
        marks = {_transaction(case.data), Packet("", 0, case.data).call_id} - {b""}
        for seen, group in found:
            if not seen & marks:
                seen.update(marks)
                group.append(case)
                break
        else:
            found.append((marks, [case]))
    return [group for _, group in found]


def _transaction(data: bytes) -> bytes:
    found = _TOP_VIA.search(data)
    return data.partition(b" ")[0] + (found[1] if found else b"")


def _outcome(wire: Wire, case: Case, messages: list[Case]) -> str:
    sent = wire.ask(case.data)
    # retransmissions that belong to the messages before
    others = {Packet("", 0, other.data).call_id for other in messages if other is not case} - {b""}
    own = Packet("", 0, case.data).call_id
    sent = [packet for packet in sent if packet.call_id == own or packet.call_id not in others]
    said = outcome(case.data, sent, PHONE)
    if said.startswith("401") and any(words.startswith("401 then") for words in case.allowed):
        return f"401 then {_with_credentials(wire, case.data, sent)}"
    return said


def _with_credentials(wire: Wire, data: bytes, sent: list[Packet]) -> str:
    refused = parse(next(packet.data for packet in sent if packet.host == PHONE))
    assert not isinstance(refused, Request)
    answer = servers.answer_to(wire, servers.with_credentials(data, refused))
    return "nothing" if answer is None else str(answer.status)


def main() -> None:
    """Play the messages to the servers that were named, or to all, and print what they did."""
    parser = argparse.ArgumentParser(prog="python -m bench.torture", description=__doc__)
    parser.add_argument("servers", nargs="*", help="sipcore, kamailio; default: what is installed")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    wanted = options.servers or ["sipcore", *(["kamailio"] if shutil.which("kamailio") else [])]
    if unknown := set(wanted) - set(SERVERS):
        parser.error(f"unknown server {', '.join(sorted(unknown))}")
    enter_namespace()
    messages = cases()
    results = {name: play(name, messages) for name in wanted}
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    _print(messages, results)
    if "sipcore" in results and any(not is_allowed(results["sipcore"][c.name], c.allowed) for c in messages):
        sys.exit(1)


def _print(messages: list[Case], results: dict[str, dict[str, str]]) -> None:
    table = Table(title="Torture messages on the wire", title_justify="left")
    for column in ("RFC, section", "message", "allowed", *(servers.version(name) for name in results)):
        table.add_column(column)
    for case in messages:
        cells = []
        for said in (result[case.name] for result in results.values()):
            cells.append(said if is_allowed(said, case.allowed) else f"[red]{said} (wrong)[/]")
        table.add_row(case.section, case.name, ", ".join(case.allowed), *cells)
    console = Console(width=None if sys.stdout.isatty() else 150)
    console.print(table)
    for name, result in results.items():
        good = sum(is_allowed(result[case.name], case.allowed) for case in messages)
        console.print(f"{servers.version(name)}: {good} of {len(messages)}")


if __name__ == "__main__":
    main()
