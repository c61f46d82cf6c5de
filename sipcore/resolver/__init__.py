"""Sans-IO: from a SIP URI to addresses to try, RFC 3263; the shell that asks the DNS is `resolver/dns.py`."""
