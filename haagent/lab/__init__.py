"""IO shell: the two-node laboratory: a pair in network namespaces that can be broken at will."""
