"""Sans-IO: what can go wrong with rules; the text names the value and the limit."""


class RulesError(Exception):
    """The root of this package's errors."""


class BadInputError(RulesError):
    """A VIP, an interface or an option that cannot be right."""


class MissingPrivilegeError(RulesError):
    """CAP_NET_ADMIN (or the tool that needs it) is missing."""


class NftablesError(RulesError):
    """libnftables refused a transaction."""


class LeaseLapsedError(RulesError):
    """The lease had run out before it was renewed: somebody else may own the address by now."""
