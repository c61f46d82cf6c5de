"""IO shell: the torture messages of RFC 4475 and RFC 5118 on the wire of a running server."""
