"""IO shell: sipp with scenarios of the tests, on a host of the laboratory."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Self

from haagent.lab.namespaces import Host, stop

PATIENCE = 40.0


class Sipp:
    """One sipp that plays a scenario; `finish` says whether every call of it went as written."""

    def __init__(self, host: Host, scenario: Path, local: str, *words: str, folder: Path) -> None:
        self._files = folder / f"{scenario.stem}-{local}"
        self._out = Path(f"{self._files}.out").open("wb")  # noqa: SIM115 - closed on exit
        address, _, port = local.partition(":")
        argv = ["sipp", *words, "-sf", str(scenario), "-i", address, "-p", port or "5060", "-m", "1"]
        argv += [
            "-nostdin",
            "-timeout",
            "25",
            "-timeout_error",
            "-trace_err",
            "-error_file",
            f"{self._files}.err",
        ]
        argv += ["-trace_msg", "-message_file", f"{self._files}.msg"]
        self.process = host.spawn(argv, stdout=self._out, stderr=subprocess.STDOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        stop(self.process)
        self._out.close()

    def finish(self, peer: Callable[[], str] = str) -> None:
        """Wait for its end; fails with what it complains of, and its peer."""
        code = self.process.wait(PATIENCE)
        assert code == 0, f"sipp {self._files.name} ended with {code}\n{self.said()}\npeer:\n{peer()}"

    def said(self) -> str:
        """Its complaints, and the last messages."""
        texts = [Path(f"{self._files}.{kind}") for kind in ("err", "msg")]
        return "\n".join(text.read_text(errors="replace")[-4000:] for text in texts if text.exists())
