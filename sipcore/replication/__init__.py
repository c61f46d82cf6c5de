"""Sans-IO: moves the records of their owners to the peers as a sequenced log; knows none of them."""
