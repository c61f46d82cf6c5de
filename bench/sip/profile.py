"""IO shell: python -m bench.sip.profile: where the SIP core's time goes, by function, per call or REGISTER.

The server runs under cProfile, which makes small functions look dearer than they are: compare the rows with
each other and with the count of calls, not with the figures of `python -m bench.sip`.
"""

import argparse
import pstats
import secrets
import tempfile
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.sip.calls import Calls
from bench.sip.load import Load, UdpPort, run
from bench.sip.registers import Registers
from bench.sip.servers import HOST, ROOT, sipcore

USERS = 2000
SELDOM = 0.02  # calls per call: what is below that is start and stop
Row = tuple[float, float, float, str]


def main() -> None:
    """Run a load on a profiled server; show its functions by their own time."""
    parser = argparse.ArgumentParser(prog="python -m bench.sip.profile", description=__doc__)
    parser.add_argument("scenario", nargs="?", choices=("call", "register"), default="call")
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--rows", type=int, default=45)
    parser.add_argument("--out", type=Path, help="keep what cProfile wrote")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sipcore-profile-") as folder:
        out = arguments.out or Path(folder) / "profile"
        done = _play(Path(folder) / "core", out, arguments.scenario, arguments.count)
        Console(width=140).print(show(rows(out, done)[: arguments.rows], arguments.scenario))


def _play(folder: Path, out: Path, scenario: str, count: int) -> int:
    with sipcore(folder, core=0, users=USERS, digest=True, profile=out) as server:
        calls = Calls(UdpPort((HOST, server.port)), UdpPort((HOST, server.port)), USERS, secrets.token_hex(3))
        registers = Registers(UdpPort((HOST, server.port)), USERS, calls.contact_port, digest=True)
        run(registers, USERS)
        load: Load = calls if scenario == "call" else registers
        return run(load, count).done


def rows(out: Path, done: int) -> list[Row]:
    """Own time, time with what it calls (microseconds), calls: per call or REGISTER; by own time."""
    stats = pstats.Stats(str(out)).stats  # type: ignore[attr-defined]  # not in typeshed
    return sorted(
        (
            (own * 1e6 / done, whole * 1e6 / done, calls / done, _place(file, line, name))
            for (file, line, name), (_, calls, own, whole, _callers) in stats.items()
            if calls >= done * SELDOM
        ),
        reverse=True,
    )


def _place(file: str, line: int, name: str) -> str:
    return name if file == "~" else f"{file.removeprefix(f'{ROOT}/')}:{line} {name}"


def show(found: list[Row], scenario: str) -> Table:
    """The rows as a table."""
    table = Table(title=f"Microseconds per {scenario}, under the profiler", title_justify="left")
    for column in ("own", "with callees", "calls"):
        table.add_column(column, justify="right")
    table.add_column("function")
    for own, whole, calls, place in found:
        table.add_row(f"{own:.1f}", f"{whole:.1f}", f"{calls:.2f}", place)
    return table


if __name__ == "__main__":
    main()
