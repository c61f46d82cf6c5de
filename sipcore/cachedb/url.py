"""Sans-IO: the URL of a store, as OpenSIPS writes it: redis:location://user:password@host:6379/0."""

import re
from typing import Self
from urllib.parse import parse_qsl, unquote

from sipcore.errors import ConfigError

_URL = re.compile(
    r"(?P<scheme>[a-z][a-z0-9_]*)(?::(?P<group>[A-Za-z0-9_.-]+))?://"
    r"(?:(?P<user>[^:@/?]*)(?::(?P<password>[^@/?]*))?@)?"
    r"(?P<hosts>[^/?@]*)(?:/(?P<database>[^?]*))?(?:\?(?P<options>.*))?"
)
_HOST = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<name>[A-Za-z0-9_.-]+))(?::(?P<port>\d{1,5}))?")
MAX_PORT = 65535


class CacheUrl:
    """Where a store is. Its text and its `repr` show no password."""

    def __init__(
        self,
        scheme: str,
        group: str = "",
        *,
        user: str = "",
        password: str = "",
        hosts: tuple[tuple[str, int | None], ...] = (),
        database: str = "",
        options: tuple[tuple[str, str], ...] = (),
    ) -> None:
        self.scheme = scheme
        self.group = group
        self.user = user
        self.password = password
        self.hosts = hosts
        self.database = database
        self.options = options

    @property
    def id(self) -> str:
        """What a script names the store by: "redis:location", or "redis" when it has no group."""
        return f"{self.scheme}:{self.group}" if self.group else self.scheme

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read it; a ValueError says what is wrong with it."""
        found = _URL.fullmatch(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError('not the URL of a store such as "redis:location://127.0.0.1:6379/0"')
        return cls(
            scheme=found["scheme"],
            group=found["group"] or "",
            user=unquote(found["user"] or ""),
            password=unquote(found["password"] or ""),
            hosts=tuple(_host(text) for text in found["hosts"].split(",")) if found["hosts"] else (),
            database=unquote(found["database"] or ""),
            options=tuple(parse_qsl(found["options"] or "", keep_blank_values=True)),
        )

    def option(self, name: str) -> str | None:
        """The value of an option behind the question mark."""
        return dict(self.options).get(name)

    def only_options(self, *known: str) -> None:
        """ConfigError for an option that this backend does not know."""
        for name, _ in self.options:
            if name not in known:
                words = ", ".join(known) or "none"
                raise ConfigError(f"cachedb: {self.id}: unknown option {name!r}; known are {words}")

    def __str__(self) -> str:
        user = f"{self.user}:***@" if self.password else f"{self.user}@" if self.user else ""
        hosts = ",".join(_written(host, port) for host, port in self.hosts)
        return f"{self.id}://{user}{hosts}/{self.database}"

    __repr__ = __str__


def _host(text: str) -> tuple[str, int | None]:
    found = _HOST.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not a host with or without a port")
    port = int(found["port"]) if found["port"] else None
    if port is not None and not 1 <= port <= MAX_PORT:
        raise ValueError(f"the port {port} is not in 1..{MAX_PORT}")
    return found["six"] or found["name"], port


def _written(host: str, port: int | None) -> str:
    host = f"[{host}]" if ":" in host else host
    return host if port is None else f"{host}:{port}"
