"""IO shell: measurements that stand beside a peer's in the same run."""
