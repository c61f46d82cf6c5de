"""Sans-IO: what on this host or in its LAN would stop a takeover: facts, and what is to be made of them."""
