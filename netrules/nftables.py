"""IO shell: nftables through libnftables in this process: one call, one transaction, no fork."""

import ctypes
import json
import os

from netrules import render
from netrules.errors import LeaseLapsedError, MissingPrivilegeError, NftablesError
from netrules.ruleset import Ruleset

LIBRARY = "libnftables.so.1"
_OUTPUT_JSON = 1 << 4


class Nftables:
    """A libnftables context. Its netlink socket stays in the network namespace of the thread that made it."""

    def __init__(self) -> None:
        try:
            library = ctypes.CDLL(LIBRARY)
        except OSError as error:
            raise NftablesError(f"{LIBRARY} is missing: install Debian's package nftables") from error
        library.nft_ctx_new.restype = ctypes.c_void_p
        for name in ("nft_ctx_get_error_buffer", "nft_ctx_get_output_buffer"):
            function = getattr(library, name)
            function.argtypes = [ctypes.c_void_p]
            function.restype = ctypes.c_char_p
        for name in ("nft_ctx_buffer_error", "nft_ctx_buffer_output", "nft_ctx_free"):
            getattr(library, name).argtypes = [ctypes.c_void_p]
        library.nft_run_cmd_from_buffer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]
        library.nft_ctx_output_set_flags.argtypes = [ctypes.c_void_p, ctypes.c_uint]
        self._library = library
        self._context = library.nft_ctx_new(0)
        library.nft_ctx_buffer_error(self._context)
        library.nft_ctx_buffer_output(self._context)

    def run(self, text: bytes) -> None:
        """Carry out one transaction; NftablesError with nft's own words, and nothing is changed then."""
        if self._library.nft_run_cmd_from_buffer(self._context, text) != 0:
            said = self._library.nft_ctx_get_error_buffer(self._context).decode(errors="replace").strip()
            if "Operation not permitted" in said:
                raise MissingPrivilegeError(f"nftables needs CAP_NET_ADMIN: {said.splitlines()[0]}")
            raise NftablesError(said or "libnftables failed without a word")

    def listing(self, what: str) -> list[dict[str, object]]:
        """The objects of `nft -j list WHAT`."""
        self._library.nft_ctx_output_set_flags(self._context, _OUTPUT_JSON)
        try:
            self.run(b"list " + what.encode())
            answer = self._library.nft_ctx_get_output_buffer(self._context)
        finally:
            self._library.nft_ctx_output_set_flags(self._context, 0)
        objects: list[dict[str, object]] = json.loads(answer or b'{"nftables": []}')["nftables"]
        return objects

    def text(self, what: str) -> str:
        """What `nft list WHAT` prints."""
        self.run(b"list " + what.encode())
        return str(self._library.nft_ctx_get_output_buffer(self._context).decode(errors="replace"))

    def close(self) -> None:
        """Free the context."""
        if self._context:
            self._library.nft_ctx_free(self._context)
            self._context = None


class Flip:
    """Shows, hides and renews, each by one prebuilt transaction (0.2 ms)."""

    def __init__(self, ruleset: Ruleset, lease_ms: int, nftables: Nftables | None = None) -> None:
        self._nftables = nftables or Nftables()
        self._show = render.show(ruleset, lease_ms).encode()
        self._hide = render.hide(ruleset).encode()
        self._refresh = render.refresh(ruleset, lease_ms).encode()

    def show(self) -> None:
        """The VIPs are heard and answered from now on, as long as the lease is renewed."""
        if self._show:
            self._nftables.run(self._show)

    def hide(self) -> None:
        """The VIPs are deaf and mute from now on."""
        if self._hide:
            self._nftables.run(self._hide)

    def refresh(self) -> None:
        """Renew the lease; LeaseLapsedError when it had run out before, and it stays out."""
        if not self._refresh:
            return
        try:
            self._nftables.run(self._refresh)
        except NftablesError as error:
            if "No such file or directory" in str(error) or os.strerror(2) in str(error):
                raise LeaseLapsedError("the lease of the virtual IP had run out") from error
            raise


def digests(nftables: Nftables) -> dict[str, str]:
    """The comment of each table of ours that the kernel holds, by 'family name'."""
    found = {}
    for entry in nftables.listing("tables"):
        table = entry.get("table")
        if isinstance(table, dict) and str(table.get("name", "")).startswith("haagent_"):
            path = f"{table['family']} {table['name']}"
            found[path] = _comment(nftables, path)
    return found


def _comment(nftables: Nftables, path: str) -> str:
    """nft 1.0.6 leaves the comment out of its JSON."""
    for line in nftables.text(f"table {path}").splitlines()[:3]:
        if line.strip().startswith("comment "):
            return line.strip()[len('comment "') : -1]
    return ""
