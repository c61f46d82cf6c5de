"""Sans-IO: OpenSIPS's binary replication (BIN) as its releases 1.10 and 1.11 have it: one datagram each."""
