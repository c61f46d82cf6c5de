"""Sans-IO: the dialogs that pass through the proxy, RFC 3261 section 12, with the states of OpenSIPS."""
