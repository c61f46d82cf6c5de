"""Sans-IO: the one error tree of the agent."""


class HaagentError(Exception):
    """Anything that the agent reports as its own error."""


class ConfigError(HaagentError):
    """The configuration is wrong; the text names the key, the value and the limit. Exit code 2."""


class HostError(HaagentError):
    """This host cannot run the agent now; the text says what is missing. Exit code 2."""


class IllegalTransitionError(HaagentError):
    """A bug in a state machine, never something that a peer can cause."""


class AuthenticationError(HaagentError):
    """The peer does not know the key, or a frame was changed on its way."""


class PeerProtocolError(HaagentError):
    """An authenticated peer sent what this version does not understand."""
