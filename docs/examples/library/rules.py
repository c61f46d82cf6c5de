"""The packet rules of a VIP as text for `nft -f`, without touching the kernel."""

from ipaddress import ip_address

from netrules import Backend, Strategy, Vip, desired
from netrules.render import add_table

vip = Vip(ip_address("192.0.2.100"), "eth0")
ruleset = desired(Strategy.ON_MASTER, Backend.NFTABLES, [vip], lease=True)
for name, value in ruleset.sysctls.items():
    print(f"# sysctl {name.replace('/', '.')}={value}")  # noqa: T201
print("\n".join(map(add_table, ruleset.tables)))  # noqa: T201
