"""Sans-IO: the stateful proxy, RFC 3261 section 16."""

from sipcore.proxy.core import Proxy, ProxySettings

__all__ = ["Proxy", "ProxySettings"]
