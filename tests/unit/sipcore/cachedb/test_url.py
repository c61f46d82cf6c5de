"""Sans-IO: URLs of stores, and the stores by id."""

import pytest

from sipcore.cachedb import CacheQueryError, CacheUrl
from sipcore.cachedb.guard import GuardSettings
from sipcore.cachedb.local import LocalCache
from sipcore.cachedb.stores import Stores, open_store
from sipcore.errors import ConfigError


def test_the_url_of_opensips_is_understood() -> None:
    url = CacheUrl.parse("redis:location://user:p%40ss@192.0.2.7:6380/3?socket=/run/redis.sock")
    assert (url.scheme, url.group, url.id) == ("redis", "location", "redis:location")
    assert (url.user, url.password) == ("user", "p@ss")
    assert (url.hosts, url.database) == ((("192.0.2.7", 6380),), "3")
    assert url.option("socket") == "/run/redis.sock"


def test_most_of_a_url_may_be_left_out() -> None:
    assert CacheUrl.parse("local://").id == "local"
    assert CacheUrl.parse("redis://[2001:db8::1],db.example.test:1/").hosts == (
        ("2001:db8::1", None),
        ("db.example.test", 1),
    )
    assert CacheUrl.parse("redis://:secret@host").password == "secret"


def test_the_password_is_not_shown() -> None:
    url = CacheUrl.parse("redis:x://user:secret@host:6379/0")
    assert "secret" not in f"{url} {url!r}"
    assert str(url) == "redis:x://user:***@host:6379/0"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("redis", "not the URL"),
        ("redis://host:0/", "1..65535"),
        ("redis://a b/", "'a b'"),
        (7, "not the URL"),
    ],
)
def test_what_is_no_url_is_said(text: object, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        CacheUrl.parse(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cassandra://host/", "'cassandra' is no backend; known are local, redis"),
        ("redis://host/names", "'names' is not a number"),
        ("redis://a,b/", "only one"),
        ("redis://host/?sockt=/x", "unknown option 'sockt'; known are socket"),
        ("local://?x=1", "unknown option 'x'"),
    ],
)
def test_a_store_that_cannot_be_opened_names_the_key_and_the_limit(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        open_store(CacheUrl.parse(text), GuardSettings())


def test_an_unknown_store_is_named_with_the_one_that_is_meant() -> None:
    stores = Stores([LocalCache("local:location", lambda: 0.0)])
    assert "local:location" in stores
    with pytest.raises(CacheQueryError, match="did you mean 'local:location'"):
        stores["local:locatoin"]


def test_two_stores_of_one_id_are_an_error() -> None:
    with pytest.raises(ConfigError, match="two stores"):
        Stores([LocalCache("local", lambda: 0.0), LocalCache("local", lambda: 0.0)])
