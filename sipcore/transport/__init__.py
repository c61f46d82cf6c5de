"""Sans-IO: SIP transport, RFC 3261 section 18."""
