"""Sans-IO: the agent's configuration file haagent.toml as typed objects."""

from haagent.config.host_fit import HostInterface, IPInterface, check_against_host
from haagent.config.kinds import Address, Duration, IPAddress, parse_duration
from haagent.config.parse import load
from haagent.config.peer import PeerConfig
from haagent.config.sections import AgentConfig
from haagent.config.split import of_group, vips_of_others
from haagent.config.virtual_router import VirtualRouterConfig

__all__ = [
    "Address",
    "AgentConfig",
    "Duration",
    "HostInterface",
    "IPAddress",
    "IPInterface",
    "PeerConfig",
    "VirtualRouterConfig",
    "check_against_host",
    "load",
    "of_group",
    "parse_duration",
    "vips_of_others",
]
