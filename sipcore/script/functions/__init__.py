"""Sans-IO: the functions of a routing script, one module per module of OpenSIPS."""
