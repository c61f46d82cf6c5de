"""Sans-IO: the failover agent's package root; it exports only its version."""

__version__ = "0.1.0"
