"""Sans-IO: the SIP core's package root; it exports nothing yet."""
