"""Sans-IO: from a URI to the address-of-record that it stands for, RFC 3261 section 10.3 step 5."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sipcore.message import Uri
from sipcore.message.uri import unescape

_SEPARATORS = b"-.()"  # RFC 3966 section 3: visual only


@dataclass(frozen=True, slots=True)
class AorRules:
    """What of a URI counts; names of domains in lower case.

    `aliases`: an alias domain to the domain that it stands for. `ignore_case`: Alice and alice are one user
    (RFC 3261 section 19.1.4 says that they are two). `tel_domain`: where a tel URI is a user, if anywhere; a
    local number is one in the domain of its phone-context.
    """

    aliases: Mapping[bytes, bytes] = field(default_factory=dict)
    ignore_case: bool = False
    tel_domain: bytes = b""

    def aor(self, uri: Uri) -> bytes:
        """The canonical address-of-record: no parameters, no port, user unescaped."""
        user, host = uri.user, uri.host
        if uri.scheme == b"tel":
            user = user.translate(None, _SEPARATORS)
            if not self.tel_domain:
                return b"tel:" + user
            context = uri.params.get(b"phone-context") or b""  # RFC 3966 section 5.1.5: of a local number
            host = context.lower() if context and not context.startswith(b"+") else self.tel_domain
        return self.of(unescape(user), host)

    def of(self, user: bytes, host: bytes) -> bytes:
        """The address-of-record of a user whose escapes are undone, at a host in lower case."""
        if self.ignore_case:
            user = user.lower()
        host = self.aliases.get(host, host)
        return b"sip:%b@%b" % (user, host) if user else b"sip:" + host
