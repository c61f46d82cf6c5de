"""IO shell: the running SIP core: the composition root, its fast path, its process."""
