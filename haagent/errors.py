"""Sans-IO: the errors of the agent."""


class AgentError(Exception):
    """The root of all errors of this package."""


class ConfigError(AgentError):
    """The config is wrong: the text names the key, the value and the limit."""


class HostError(AgentError):
    """The host cannot run the agent: the text says what is missing."""
