"""Sans-IO: call detail records: one per call, written by the MASTER, never lost with a node."""
