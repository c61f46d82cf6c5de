"""Sans-IO: wire formats of other SIP servers, for who runs them beside this one."""
