"""Sans-IO: keepalived.conf read as typed blocks and turned into haagent.toml, or said why not."""
