"""Sans-IO: the stateful proxy, RFC 3261 section 16."""

from sipcore.proxy.call import Call, Routes
from sipcore.proxy.core import Proxy
from sipcore.proxy.settings import Listener, ProxySettings, Refused

__all__ = ["Call", "Listener", "Proxy", "ProxySettings", "Refused", "Routes"]
