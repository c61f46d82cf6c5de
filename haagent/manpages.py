"""IO shell: man pages of the `haagent` command, made from itself (python -m haagent.manpages DIR)."""

import inspect
import sys
from pathlib import Path
from typing import Any

import typer

from haagent.cli import app

EXIT_CODES = (
    ("0", "done, or healthy"),
    ("1", "refused, not healthy, the wait ran out, or the doctor found what would stop a takeover"),
    ("2", "wrong usage, config or host"),
    ("3", "no agent behind the socket"),
)


def pages() -> dict[str, str]:
    """File name -> page: haagent.1, and one for each command."""
    commands: dict[str, Any] = dict(typer.main.get_group(app).commands)
    found = {"haagent.1": _main_page(commands)}
    for name, command in commands.items():
        found[f"haagent-{name}.1"] = _page(name, command)
    return found


def main() -> None:
    """Write them all into the directory that is named."""
    place = Path(sys.argv[1])
    place.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (place / name).write_text(text, encoding="utf-8")


def _main_page(commands: dict[str, Any]) -> str:
    lines = _head("haagent", "failover agent: VRRP, the virtual IP, and the role of the SIP core")
    lines += [".B haagent", ".I COMMAND", "[options]", ".SH COMMANDS"]
    for name, command in sorted(commands.items()):
        lines += [".TP", f".BR haagent-{_escape(name)} (1)", _escape(_summary(command))]
    lines += ['.SH "EXIT STATUS"']
    for code, meaning in EXIT_CODES:
        lines += [".TP", f".B {code}", _escape(meaning)]
    lines += [".SH FILES", ".TP", ".I /etc/haagent/haagent.toml", "configuration"]
    lines += [".TP", ".I /run/haagent/control.sock", "control socket of the running agent"]
    return "\n".join(lines) + "\n"


def _page(name: str, command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    lines = _head(f"haagent-{name}", _summary(command))
    lines += [f".B haagent {_escape(name)}", *(["[options]"] if options else [])]
    lines += [f".I {_escape(_shown(one))}" for one in arguments]
    lines += [".SH DESCRIPTION", _escape(_description(command))]
    if options or arguments:
        lines.append(".SH OPTIONS")
    for one in arguments:
        lines += [".TP", f".I {_escape(one.name.upper())}", _escape(one.help or "")]
    for one in options:
        names = ", ".join(f"\\fB{_escape(option)}\\fR" for option in one.opts)
        value = "" if one.is_flag else f" \\fI{_escape(one.name.upper())}\\fR"
        lines += [".TP", names + value, _escape(one.help or "")]
    lines += ['.SH "SEE ALSO"', ".BR haagent (1)"]
    return "\n".join(lines) + "\n"


def _head(name: str, purpose: str) -> list[str]:
    title = f'.TH "{_escape(name.upper())}" 1 "" haagent "haagent manual"'
    return [title, ".SH NAME", f"{_escape(name)} \\- {_escape(purpose)}", ".SH SYNOPSIS"]


def _shown(argument: Any) -> str:
    name = str(argument.name).upper()
    return name if argument.required else f"[{name}]"


def _description(command: Any) -> str:
    return inspect.cleandoc(command.help or "").replace("\n\n", "\n.PP\n")


def _summary(command: Any) -> str:
    text = inspect.cleandoc(command.help or "").partition("\n")[0]
    return text.rstrip(".")


def _escape(text: str) -> str:
    """roff takes a backslash, a dash, and a dot or quote at the beginning of a line for its own."""
    shown = text.replace("\\", "\\e").replace("-", "\\-")
    return "\n".join(
        f"\\&{line}" if line[:1] in (".", "'") and line != ".PP" else line for line in shown.split("\n")
    )


if __name__ == "__main__":
    main()
