"""IO shell: `sipcore phone`: probes for operators, and a phone that a program drives."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from sipcore.duration import parse_duration
from sipcore.errors import ConfigError

if TYPE_CHECKING:
    from sipcore.phone.link import Trust
    from sipcore.phone.wire import Wire

FAILED = 1
WRONG_USAGE = 2

app = typer.Typer(
    no_args_is_help=True,
    help="A small SIP phone: probes (exit 0 good, 1 no good answer, 2 wrong usage) and `serve` for programs.",
)
out = Console(emoji=False)
errors = Console(emoji=False, stderr=True, soft_wrap=True)

Local = Annotated[str | None, typer.Option("--local", help="IP[:PORT] to send from.")]
Proxy = Annotated[str, typer.Option("--proxy", help="HOST[:PORT] of the proxy.")]
Domain = Annotated[str | None, typer.Option("--domain", help="Of the users; default: the proxy's host.")]
T1 = Annotated[str, typer.Option("--t1", help="Round-trip estimate, first retransmission (RFC 3261).")]
Timeout = Annotated[float, typer.Option("--timeout", help="Seconds.")]
Transport = Annotated[str, typer.Option("--transport", help="udp, tcp or tls.")]
CaFile = Annotated[Path | None, typer.Option("--ca", help="CA that the proxy's certificate is from.")]
Insecure = Annotated[bool, typer.Option("--insecure", help="Do not check the proxy's certificate.")]
Password = Annotated[str, typer.Option("--password", envvar="SIPCORE_PASSWORD", help="For digest.")]


@app.command()
def serve(
    proxy: Proxy,
    local: Local = None,
    users: Annotated[Path | None, typer.Option("--users", help="Lines user:password.")] = None,
    domain: Domain = None,
    t1: T1 = "500ms",
    transport: Transport = "udp",
    ca: CaFile = None,
    insecure: Insecure = False,
    *,
    persistent: Annotated[
        bool, typer.Option("--persistent", help="Over TCP or TLS, too, repeat what is not answered.")
    ] = False,
    private: Annotated[
        str, typer.Option("--private", help="Address that Via and Contact name: a phone behind NAT.")
    ] = "",
) -> None:
    """Run phones for many users on one socket: JSON commands on stdin, JSON events on stdout."""
    from sipcore.phone.serve import serve as run
    from sipcore.phone.wire import read_users

    try:
        passwords = read_users(users) if users else {}
    except ConfigError as error:
        _wrong(error)
    over = _trust(transport, ca, insecure)
    raise typer.Exit(
        run(_wire(local, proxy, domain, passwords, t1, over, persistent=persistent, private=private))
    )


@app.command()
def options(
    uri: Annotated[str, typer.Argument(help="sip:host, or sip:user@host")],
    *,
    proxy: Annotated[str | None, typer.Option("--proxy", help="Default: the URI's host.")] = None,
    local: Local = None,
    user: Annotated[str, typer.Option("--user", help="Who asks.")] = "probe",
    timeout: Timeout = 4.0,
    t1: T1 = "500ms",
    transport: Transport = "udp",
    ca: CaFile = None,
    insecure: Insecure = False,
) -> None:
    """Ask whether a SIP server lives."""
    from sipcore.phone import probe

    target = uri if ":" in uri and uri.split(":")[0] in ("sip", "sips") else f"sip:{uri}"
    host = target.partition(":")[2].rpartition("@")[2].partition(";")[0]
    wire = _wire(local, proxy or host, None, {}, t1, _trust(transport, ca, insecure))
    _say(probe.options(wire, user=user, target=target, timeout=timeout))


@app.command()
def register(
    user: Annotated[str, typer.Argument(help="user or user@domain")],
    *,
    proxy: Proxy,
    password: Password = "",
    expires: Annotated[int, typer.Option(min=0, help="Seconds; 0 takes the binding away.")] = 60,
    local: Local = None,
    domain: Domain = None,
    timeout: Timeout = 4.0,
    t1: T1 = "500ms",
    transport: Transport = "udp",
    ca: CaFile = None,
    insecure: Insecure = False,
) -> None:
    """Register a user with digest authentication."""
    from sipcore.phone import probe

    name, _, at = user.partition("@")
    wire = _wire(
        local,
        proxy,
        domain or at or None,
        {name.encode(): password.encode()},
        t1,
        _trust(transport, ca, insecure),
    )
    _say(probe.register(wire, user=name, expires=expires, timeout=timeout))


@app.command()
def call(
    target: Annotated[str, typer.Argument(help="user, user@domain or URI")],
    *,
    proxy: Proxy,
    user: Annotated[str, typer.Option("--user", help="Who calls: user or user@domain.")] = "probe",
    password: Password = "",
    hold: Annotated[float, typer.Option(help="Seconds to talk.")] = 0.5,
    local: Local = None,
    domain: Domain = None,
    timeout: Timeout = 20.0,
    t1: T1 = "500ms",
    transport: Transport = "udp",
    ca: CaFile = None,
    insecure: Insecure = False,
) -> None:
    """Call someone, wait for the answer, hang up."""
    from sipcore.phone import probe

    name, _, at = user.partition("@")
    wire = _wire(
        local,
        proxy,
        domain or at or None,
        {name.encode(): password.encode()},
        t1,
        _trust(transport, ca, insecure),
    )
    _say(probe.call(wire, user=name, target=target, hold=hold, timeout=timeout))


def _wire(
    local: str | None,
    proxy: str,
    domain: str | None,
    passwords: dict[bytes, bytes],
    t1: str,
    over: "tuple[str, Trust]",
    *,
    persistent: bool = False,
    private: str = "",
) -> "Wire":
    from sipcore.phone.wire import Wire

    transport, trust = over
    try:
        return Wire(
            local=local,
            proxy=proxy,
            domain=domain,
            passwords=passwords,
            t1=parse_duration(t1),
            transport=transport,
            trust=trust,
            persistent=persistent,
            private=private,
        )
    except ConfigError as error:
        _wrong(error)
    except ValueError as error:
        _wrong(ConfigError(f"--t1: {t1!r}: {error}"))


def _trust(transport: str, ca: Path | None, insecure: bool) -> "tuple[str, Trust]":
    from sipcore.phone.link import Trust

    if transport not in ("udp", "tcp", "tls"):
        _wrong(ConfigError(f"--transport: {transport!r} is not udp, tcp or tls"))
    return transport, Trust(verify=not insecure, ca_file=str(ca) if ca else None)


def _say(result: tuple[bool, str]) -> None:
    good, text = result
    (out if good else errors).print(escape(text), highlight=False)
    raise typer.Exit(0 if good else FAILED)


def _wrong(error: ConfigError) -> NoReturn:
    errors.print(f"sipcore phone: {escape(str(error))}", highlight=False)
    raise typer.Exit(WRONG_USAGE)
