"""Sans-IO: those who are told of a change of role; `notify.core` is the SIP core."""
