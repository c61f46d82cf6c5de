"""IO shell: `sipcore phone serve`: a phone that a program drives, JSON lines in and out.

Commands on stdin, one object per line; `id` names a call, and both its legs when one process has both:

    {"cmd":"register","user":U,"expires":3600}    {"cmd":"call","id":ID,"from":U,"to":V}
    {"cmd":"answer","id":ID}                      {"cmd":"reject","id":ID,"status":486}
    {"cmd":"cancel","id":ID}                      {"cmd":"bye","id":ID,"by":"caller"|"callee"}
    {"cmd":"options","user":U,"id":ID}            {"cmd":"auto","user":U,"mode":"ring"|"answer"}
    {"cmd":"quit"}

Events on stdout, each with `t`, monotonic seconds; `connected` is a new connection to the proxy. A command
that cannot be carried out gives {"event":"error","cmd":...,"error":...}. The end of stdin ends the phone.
"""

import json
import os
import sys
import time
from typing import Annotated, Literal

import msgspec

from sipcore.phone.wire import Wire

READ_SIZE = 65536
IDLE_SECONDS = 60.0


class _Command(msgspec.Struct, tag_field="cmd", forbid_unknown_fields=True):
    pass


class Register(_Command, tag="register"):
    """Register a user; 0 seconds takes the binding away."""

    user: str
    expires: Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)] = 3600


class Call(_Command, tag="call", rename={"caller": "from"}):
    """Call a user."""

    id: str
    caller: str
    to: str


class Answer(_Command, tag="answer"):
    """Answer a ringing call."""

    id: str


class Reject(_Command, tag="reject"):
    """Refuse a ringing call."""

    id: str
    status: Annotated[int, msgspec.Meta(ge=400, le=699)] = 486


class Cancel(_Command, tag="cancel"):
    """Give up a call that is not answered."""

    id: str


class Bye(_Command, tag="bye"):
    """End a call."""

    id: str
    by: Literal["caller", "callee"] = "caller"


class Options(_Command, tag="options"):
    """Ask the proxy whether it lives."""

    user: str
    id: str


class Auto(_Command, tag="auto"):
    """What a user does when called."""

    user: str
    mode: Literal["ring", "answer"]


class Quit(_Command, tag="quit"):
    """End the phone."""


Command = Register | Call | Answer | Reject | Cancel | Bye | Options | Auto | Quit


def serve(wire: Wire) -> int:
    """Carry out commands until `quit` or the end of stdin."""
    decode = msgspec.json.Decoder(Command).decode
    stdin = sys.stdin.fileno()
    rest = b""
    _say({"event": "ready", "local": "{}:{}".format(*wire.socket.getsockname()[:2])})
    connects = wire.connects
    while True:
        if wire.connects != connects:
            connects = wire.connects
            _say({"event": "connected"})
        if stdin in wire.wait(IDLE_SECONDS, stdin):
            data = os.read(stdin, READ_SIZE)
            *lines, rest = (rest + data).split(b"\n")
            for line in filter(None, map(bytes.strip, lines)):
                try:
                    command = decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError) as error:
                    _say({"event": "error", "cmd": line.decode("utf-8", "replace"), "error": str(error)})
                    continue
                if isinstance(command, Quit):
                    return _finish(wire)
                if not _carry_out(wire, command):
                    done = msgspec.to_builtins(command)
                    _say({**done, "event": "error", "error": "there is no such call in that state"})
            if not data:
                return _finish(wire)
        _report(wire)


def _finish(wire: Wire) -> int:
    wire.flush()
    _report(wire)
    return 0


def _carry_out(wire: Wire, command: Command) -> bool:
    """Do it; False when there is no such call in the right state."""
    phone, now = wire.phone, time.monotonic()
    done = True
    if isinstance(command, Register):
        phone.register(command.user.encode(), command.expires, now)
    elif isinstance(command, Call):
        phone.call(command.id, command.caller.encode(), command.to.encode(), now)
    elif isinstance(command, Answer):
        done = phone.answer(command.id, now)
    elif isinstance(command, Reject):
        done = phone.reject(command.id, command.status, now)
    elif isinstance(command, Cancel):
        done = phone.cancel(command.id, now)
    elif isinstance(command, Bye):
        done = phone.bye(command.id, command.by, now)
    elif isinstance(command, Options):
        phone.options(command.id, command.user.encode(), now)
    elif isinstance(command, Auto):
        phone.auto_answer.add(command.user.encode())
        if command.mode == "ring":
            phone.auto_answer.discard(command.user.encode())
    return done


def _report(wire: Wire) -> None:
    for event in wire.phone.events:
        _say(event)
    wire.phone.events.clear()


def _say(event: dict[str, object]) -> None:
    sys.stdout.write(json.dumps({"t": round(time.monotonic(), 6), **event}) + "\n")
    sys.stdout.flush()
