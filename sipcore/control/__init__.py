"""Sans-IO: the control API of the SIP core; beside this: its server, client and commands."""
