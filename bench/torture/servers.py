"""IO shell: the servers that the torture messages are sent to; whom they call is registered."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.sip.servers import ROOT, running_at
from bench.torture.wire import CALLEE, PHONE, SERVER, SERVER6, Wire
from sipcore.message import Edit, NameAddr, Request, Response, Uri, build_request, parse
from sipcore.phone.digest import choose

REALM, PASSWORD = b"example.com", b"secret"
DOMAINS = (
    "example.com", "example.net", "example.org", "company.com", "chair-dnrc.example.com",
    "services.example.com", "registrar.example.com", "host.example.net",
)  # fmt: skip
# Those that the messages call.
CALLED = (
    b"user@example.com", b"user@example.org", b"t.watson@example.org", b"UserB@example.com",
    b"vivekg@chair-dnrc.example.com", b"sips%3Auser%40example.com@example.net", b"user@host.example.net",
    b"user;par=u%40example.net@example.com", b"remote-target@example.com",
    b"1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com",
)  # fmt: skip
# Those that register.
REGISTERING = (b"null-%00-null", b"j.user", b"watson", b"user")


@contextmanager
def sipcore(folder: Path) -> Iterator[None]:
    """Our own server."""
    folder.mkdir()
    names = {aor.rpartition(b"@")[0] for aor in CALLED} | set(REGISTERING)
    (folder / "users").write_bytes(b"".join(b"%b:%b:%b\n" % (name, REALM, _ha1(name)) for name in names))
    (folder / "secret").write_text("a key of the torture chamber")
    domains = ", ".join(f'"{domain}"' for domain in DOMAINS)
    (folder / "sipcore.toml").write_text(
        f'node = "torture"\ndomains = [{domains}]\nrun_dir = "{folder}/run"\nstandalone = true\n'
        f'[[listen]]\naddress = "{SERVER[0]}"\nport = {SERVER[1]}\n'
        f'[[listen]]\naddress = "{SERVER6}"\nport = {SERVER[1]}\n'
        f'[auth]\nrealm = "{REALM.decode()}"\nusers_file = "{folder}/users"\n'
        f'secret_file = "{folder}/secret"\n'
        '[proxy]\nrelay = "any"\n[nat]\ndetect = []\n'
    )
    argv = [sys.executable, "-m", "sipcore", "run", str(folder / "sipcore.toml")]
    with running_at("sipcore", argv, folder / "log", SERVER[1]):
        yield


@contextmanager
def kamailio(folder: Path) -> Iterator[None]:
    """Kamailio with its sanity module; it registers whoever asks."""
    folder.mkdir()
    text = (ROOT / "bench/torture/kamailio.cfg").read_text()
    modules = next(Path("/usr/lib").glob("*/kamailio/modules"))
    aliases = "\n".join(f'alias="{domain}"' for domain in DOMAINS)
    for name, value in (("MODULES", f"{modules}/"), ("ALIASES", aliases), ("SERVER6", SERVER6)):
        text = text.replace(f"@{name}@", value)
    (folder / "kamailio.cfg").write_text(text)
    argv = ["kamailio", "-DD", "-f", str(folder / "kamailio.cfg")]
    argv += ["-P", str(folder / "pid"), "-Y", str(folder)]
    with running_at("kamailio", argv, folder / "log", SERVER[1]):
        yield


def version(name: str) -> str:
    """How a server is to be called in the table."""
    if name == "sipcore":
        return name
    shown = subprocess.run(["kamailio", "-v"], capture_output=True, text=True, check=True).stdout
    return "Kamailio " + shown.split()[2]


def register_all(wire: Wire) -> None:
    """A contact for everyone who is called."""
    for number, aor in enumerate(CALLED):
        uri = b"sip:" + aor
        headers = (
            (b"Via", b"SIP/2.0/UDP %b:5060;branch=z9hG4bKregister%d" % (PHONE.encode(), number)),
            (b"Max-Forwards", b"70"),
            (b"From", b"<%b>;tag=1" % uri),
            (b"To", b"<%b>" % uri),
            (b"Call-ID", b"register-%d" % number),
            (b"CSeq", b"1 REGISTER"),
            (b"Contact", b"<sip:callee@%b:%d>" % (CALLEE[0].encode(), CALLEE[1])),
            (b"Expires", b"3600"),
        )
        data = build_request(b"REGISTER", b"sip:" + aor.rpartition(b"@")[2], headers=headers)
        answer = answer_to(wire, data)
        if answer is not None and answer.status == 401:
            answer = answer_to(wire, with_credentials(data, answer))
        if answer is None or answer.status != 200:
            raise RuntimeError(f"{aor!r} is not registered: {answer and answer.head[0]!r}")


def answer_to(wire: Wire, data: bytes) -> Response | None:
    """The first answer that the phone gets."""
    for packet in wire.ask(data):
        if packet.host == PHONE:
            message = parse(packet.data)
            return message if isinstance(message, Response) else None
    return None


def with_credentials(data: bytes, refused: Response) -> bytes:
    """The request again, with an answer to the challenge."""
    request = parse(data)
    challenge = choose(refused.lines(b"www-authenticate"), proxy=False)
    assert isinstance(request, Request)
    assert challenge is not None
    user = Uri.parse(NameAddr.parse(request.first(b"to") or b"").uri).user or REGISTERING[-1]
    value = challenge.answer(user, PASSWORD, method=request.method, uri=request.uri, cnonce=b"0a4f113b")
    edit = Edit(request)
    edit.remove(b"Authorization")
    edit.append(b"Authorization", value)
    edit.replace(b"CSeq", b"%d %b" % (request.cseq + 1, request.method))
    edit.replace_first_value(b"Via", bytes(request.top_via).replace(b"z9hG4bK", b"z9hG4bKagain"))
    return edit.build()


def _ha1(name: bytes) -> bytes:
    text = b":".join((name, REALM, PASSWORD))
    return hashlib.md5(text, usedforsecurity=False).hexdigest().encode()
