"""Sans-IO: the configuration file sipcore.toml as typed objects."""

from sipcore.config.kinds import HostPort
from sipcore.config.parse import parse_config
from sipcore.config.sections import SipcoreConfig
from sipcore.config.transport import Listen

__all__ = ["HostPort", "Listen", "SipcoreConfig", "parse_config"]
