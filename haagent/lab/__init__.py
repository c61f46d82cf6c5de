"""IO shell: the two-node laboratory: a pair on one machine, in network namespaces, that can be broken at will."""
