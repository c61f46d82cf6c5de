"""Sans-IO: the second path to the other node: an authenticated session beside VRRP."""
