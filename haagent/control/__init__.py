"""Sans-IO: the control API of the agent: its server, its client and its rules are the modules beside this."""
