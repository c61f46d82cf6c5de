"""IO shell: a network of a test's own: nothing but loopback, so every 127.x address and port is free."""

from collections.abc import Iterator
from contextlib import contextmanager

from haagent.lab.namespaces import Host, wait_gone


@contextmanager
def loopback(name: str) -> Iterator[Host]:
    """A host of its own; what runs there is ended with it."""
    host = Host(name)
    try:
        host.wait_ready()
        assert host.spawn(["ip", "link", "set", "lo", "up"]).wait(10) == 0
        yield host
    finally:
        host.close()
        wait_gone(host)
