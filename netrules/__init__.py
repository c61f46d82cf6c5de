"""Sans-IO: which packet rules, ARP rules and sysctls a virtual IP needs, as data."""
