"""IO shell: the `sipcore user` commands."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

from sipcore import views
from sipcore.console import REFUSED, WRONG_USAGE, JsonOption, fail, out, show
from sipcore.errors import ConfigError, SipcoreError

if TYPE_CHECKING:
    from sipcore.auth.accounts import Accounts

DEFAULT_CONFIG = Path("/etc/sipcore/sipcore.toml")
app = typer.Typer(no_args_is_help=True, help="Add, remove and list the users who may register and call.")

ConfigOption = Annotated[Path, typer.Option("--config", help="Its table [auth] names the file or database.")]
UserArgument = Annotated[str, typer.Argument(help="The user part of the address, such as alice.")]


@app.command()
def add(
    user: UserArgument,
    config: ConfigOption = DEFAULT_CONFIG,
    stdin: Annotated[bool, typer.Option("--stdin", help="Read the password from standard input.")] = False,
) -> None:
    """Add a user, or give him another password; it is asked for, and only hashes of it are kept."""
    accounts = _accounts(config)
    if stdin:
        password = sys.stdin.readline().rstrip("\n")
    else:
        password = typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    try:
        new = accounts.add(user, password)
    except (SipcoreError, OSError) as error:
        fail(str(error), REFUSED)
    out.print(f"{escape(user)}: {'added' if new else 'has another password now'}")


@app.command()
def remove(user: UserArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Remove a user; what he has registered stays until it expires. Exit 1 when there is none."""
    try:
        gone = _accounts(config).remove(user)
    except (SipcoreError, OSError) as error:
        fail(str(error), REFUSED)
    if not gone:
        fail(f"{user}: no such user", REFUSED)
    out.print(f"{escape(user)}: removed")


@app.command("list")
def list_users(
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """List the users, and the algorithms for which there is a hash of their password."""
    try:
        found = [account._asdict() for account in _accounts(config).users()]
    except (SipcoreError, OSError) as error:
        fail(str(error), REFUSED)
    show(found, lambda rows: views.rows(rows, ("user", "algorithms")), as_json=as_json)


def _accounts(path: Path) -> "Accounts":
    from sipcore.auth.accounts import FileAccounts, SqliteAccounts
    from sipcore.config import parse_config

    try:
        auth = parse_config(path.read_text()).auth
    except OSError as error:
        fail(f"config: {path}: {error.strerror}", WRONG_USAGE)
    except ConfigError as error:
        fail(f"{path}: {error}", WRONG_USAGE)
    if auth.users_db:
        return SqliteAccounts(Path(auth.users_db), auth.realm)
    return FileAccounts(Path(auth.users_file), auth.realm)
