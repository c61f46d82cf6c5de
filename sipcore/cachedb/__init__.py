"""Sans-IO: key-value stores behind one interface, in the words of OpenSIPS's cachedb."""

from sipcore.cachedb.api import (
    CacheDB,
    CacheError,
    CacheQueryError,
    CacheTimeoutError,
    CacheUnavailableError,
    Capability,
    Cell,
    Row,
)
from sipcore.cachedb.url import CacheUrl

__all__ = [
    "CacheDB",
    "CacheError",
    "CacheQueryError",
    "CacheTimeoutError",
    "CacheUnavailableError",
    "CacheUrl",
    "Capability",
    "Cell",
    "Row",
]
