"""Sans-IO: a third party that two nodes which cannot hear each other agree on."""
