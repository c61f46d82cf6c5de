"""IO shell: sockets bound to an address that this node may not have yet (the VIP of a BACKUP)."""

import asyncio
import ipaddress
import socket
import struct
from contextlib import suppress

BACKLOG = 4096
_IP_FREEBIND, _IPV6_FREEBIND = 15, 78  # linux/in.h, linux/in6.h
_IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h: the port is chosen by connect, so that all may be used
_DEAD_AFTER_MS = 30_000
_RESET, _LET_IT_LEAVE = struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)


def bound_socket(address: str, port: int, kind: socket.SocketKind, *, share: bool = False) -> socket.socket:
    """A non-blocking socket on this address; OSError when it is taken, and not shared by both."""
    version = ipaddress.ip_address(address).version
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    made = socket.socket(family, kind | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
    try:
        if version == 4:
            made.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        else:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        if kind is socket.SOCK_STREAM:
            if port:
                made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # old connections may linger
            else:
                made.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
        if share:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


def tune(connection: socket.socket) -> None:
    """A peer that is gone, or that acknowledges nothing, is noticed in half a minute to a minute."""
    options = (
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _DEAD_AFTER_MS),
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    )
    with suppress(OSError):  # the peer has closed it already
        for level, name, value in options:
            connection.setsockopt(level, name, value)


def refuse(connection: socket.socket) -> None:
    """Close with a reset."""
    leave_nothing(connection)
    connection.close()


def leave_nothing(connection: socket.socket, *, wanted: bool = True) -> None:
    """Have its end be a reset, also by the death of the process, so that nothing of it stays in our kernel.

    A FIN that cannot leave, since the link or the VIP is gone, would be kept for half a minute with the two
    addresses of the connection, and this node, MASTER again by then, could not tell the phone of its end.
    """
    with suppress(OSError):  # it has ended
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET if wanted else _LET_IT_LEAVE)


def reset(transport: asyncio.Transport) -> None:
    """End a connection of the event loop at once, with nothing left of it."""
    leave_nothing(transport.get_extra_info("socket"))
    transport.abort()
