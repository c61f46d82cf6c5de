"""IO shell: nftables through libnftables in this process: one call, one transaction, no fork.

Where the library is missing, the `nft` program does for what is applied once; `Flip` will have the library.
"""

import ctypes
import json
from typing import Protocol

from netrules import render
from netrules.errors import BadInputError, LeaseLapsedError, MissingPrivilegeError, NftablesError, RulesError
from netrules.ruleset import Backend, Ruleset
from netrules.run import run

LIBRARY = "libnftables.so.1"
_OUTPUT_JSON = 1 << 4
_SAID = 300  # characters; nft quotes the whole of a long line that it refuses


class Tables(Protocol):
    """What carries out and lists nft's words."""

    def run(self, text: bytes) -> None:
        """Carry out one transaction."""

    def listing(self, what: str) -> list[dict[str, object]]:
        """The objects of `nft -j list WHAT`."""

    def text(self, what: str) -> str:
        """What `nft list WHAT` prints."""


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
            raise NftablesError(said[:_SAID] or "libnftables failed without a word")

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

    def __del__(self) -> None:
        if hasattr(self, "_context"):
            self.close()


class NftProgram:
    """The same by forking `nft` (10 ms and more a call)."""

    def run(self, text: bytes) -> None:
        """Carry out one transaction."""
        run(["nft", "-f", "-"], text=text.decode())

    def listing(self, what: str) -> list[dict[str, object]]:
        """The objects of `nft -j list WHAT`."""
        objects: list[dict[str, object]] = json.loads(run(["nft", "-j", "list", *what.split()]))["nftables"]
        return objects

    def text(self, what: str) -> str:
        """What `nft list WHAT` prints."""
        return run(["nft", "list", *what.split()])


def open_tables() -> Tables:
    """The library, else the program; NftablesError when this host has neither."""
    try:
        return Nftables()
    except NftablesError as missing:
        program = NftProgram()
        try:
            program.listing("tables")
        except RulesError:
            raise missing from None
        return program


class Flip:
    """Shows, hides and renews, each by one prebuilt transaction (0.2 ms)."""

    def __init__(self, ruleset: Ruleset, lease_ms: int, nftables: Nftables | None = None) -> None:
        if ruleset.backend is not Backend.NFTABLES:
            raise BadInputError(f"backend: {ruleset.backend} is flipped by IptablesFlip")
        if ruleset.lease and lease_ms < 1:  # nft takes 0 for "for ever"
            raise BadInputError(f"lease: {lease_ms} ms is below 1 ms")
        self._nftables = nftables or Nftables()
        self._build(ruleset, lease_ms)

    def _build(self, ruleset: Ruleset, lease_ms: int) -> None:
        self._ruleset = ruleset
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

    def replace(self, ruleset: Ruleset, lease_ms: int, *, shown: bool) -> None:
        """Go over to other VIPs in one transaction: those that stay are not hidden for a moment."""
        if ruleset == self._ruleset and render.show(ruleset, lease_ms).encode() == self._show:
            return
        self._nftables.run(render.replace(self._ruleset, ruleset, lease_ms, shown=shown).encode())
        self._build(ruleset, lease_ms)

    def refresh(self) -> None:
        """Renew the lease; LeaseLapsedError when it had run out before, and it stays out."""
        if not self._refresh:
            return
        try:
            self._nftables.run(self._refresh)
        except NftablesError as error:
            # the kernel's word; a table or set that is missing is libnftables' own: "did you mean"
            if "Could not process rule: No such file or directory" in str(error):
                raise LeaseLapsedError("the lease of the virtual IP had run out") from error
            raise
