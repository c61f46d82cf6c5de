"""Sans-IO: the machine's own watchdog: it resets a machine whose agent hangs or cannot hold its lease."""
