"""Sans-IO: mutation fuzzing of the parsers that face the network."""
