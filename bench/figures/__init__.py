"""IO shell: the figures of a failover, ours beside keepalived's in one run, each with its target."""
