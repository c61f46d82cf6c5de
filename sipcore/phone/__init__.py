"""Sans-IO: a small SIP user agent on the core's message and transaction layers, for tests and operators."""
