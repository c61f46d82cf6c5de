"""Sans-IO: what `sipcore trace` prints of a message: a rung of the ladder, or all of it."""

from collections.abc import Mapping
from datetime import datetime

from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.text import Text

Json = Mapping[str, object]

_ARROW = 30  # columns between the two ends
_HEAD_COLOUR = {1: "yellow", 2: "green", 3: "magenta", 4: "red", 5: "bold red", 6: "bold red"}


class Ladder:
    """Prints messages between this core and its peers, one line each."""

    def __init__(self, *, full: bool = False) -> None:
        self._full = full
        self._ends: tuple[int, int] = (21, 21)  # columns of the two addresses; they only grow
        self._calls: dict[str, int] = {}

    def render(self, line: Json) -> RenderableType:
        """One line of the stream."""
        if "lost" in line:
            return Text(f"    {line['lost']} messages were not shown", style="bold yellow")
        rung = self._rung(line)
        message = str(line.get("message", ""))
        return Group(rung, _whole(message), Text()) if self._full else rung

    def _rung(self, line: Json) -> Text:
        remote, local = str(line["remote"]), str(line["local"])
        self._ends = max(self._ends[0], len(remote)), max(self._ends[1], len(local))
        text = Text(_clock(float(str(line["at"]))), style="dim")
        text.append(f"  {remote:>{self._ends[0]}} ", style="default not dim")
        text.append(_arrow(_title(line), incoming=bool(line["incoming"])), style=_colour(line))
        text.append(f" {local:<{self._ends[1]}}", style="default not dim")
        text.append(f"  {line['transport']}", style="dim")
        if call_id := str(line.get("call_id", "")):
            number = self._number(call_id)
            text.append(f"  call {number} {call_id}", style=f"color({1 + (number - 1) % 6}) not dim")
        return text

    def _number(self, call_id: str) -> int:
        """A short name of a call while it is in sight."""
        if len(self._calls) > 10_000:
            self._calls.clear()
        return self._calls.setdefault(call_id, len(self._calls) + 1)


def _title(line: Json) -> str:
    status = line.get("status")
    if status:
        return f"{status} {line.get('reason', '')}".rstrip() + f" ({line.get('method', '')})"
    return str(line.get("method", "")) or f"{line['size']} bytes, not SIP"


def _colour(line: Json) -> str:
    status = line.get("status")
    if not status:
        return "bold cyan not dim" if line.get("method") else "red not dim"
    return f"{_HEAD_COLOUR.get(int(str(status)) // 100, 'default')} not dim"


def _arrow(title: str, *, incoming: bool) -> str:
    title = title if cell_len(title) <= _ARROW - 6 else title[: _ARROW - 7] + "…"
    shaft = f" {title} ".center(_ARROW - 1, "─")
    return f"{shaft}▶" if incoming else f"◀{shaft}"


def _clock(at: float) -> str:
    return datetime.fromtimestamp(at).astimezone().strftime("%H:%M:%S.%f")[:-3]


def _whole(message: str) -> Text:
    """The message as it was: names of headers in colour; what would move the cursor is shown as a mark."""
    text = Text()
    head, _, body = message.partition("\r\n\r\n")
    for number, line in enumerate(_printable(head).splitlines()):
        name, colon, value = line.partition(":")
        if number and colon and " " not in name:
            text.append(name, style="cyan")
            text.append(f":{value}\n")
        else:
            text.append(f"{line}\n", style="" if number else "bold")
    if body:
        text.append("\n")
        text.append(_printable(body), style="dim")
    return text


def _printable(text: str) -> str:
    """What comes from the wire does not drive the terminal."""
    text = text.replace("\r\n", "\n").expandtabs()
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)
