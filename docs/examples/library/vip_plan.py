"""What a takeover changes on a host, and what is still missing when it was interrupted."""

from ipaddress import ip_address

from haagent.vip.plan import Observed, PlanRole, Strategy, Vip, plan

VIPS = [Vip(ip_address("192.0.2.100"), "eth0"), Vip(ip_address("2001:db8::100"), "eth0")]


def show(observed: Observed) -> None:
    """Print the steps; a shell would carry them out and observe again."""
    for step in plan(Strategy.ON_MASTER, PlanRole.MASTER, VIPS, observed):
        print(step.op.name.lower(), step.vip.address if step.vip else "")  # noqa: T201


show(Observed(present=frozenset(), foreign=frozenset(), shown=False))
print("interrupted after the first address:")  # noqa: T201
show(Observed(present=frozenset(VIPS[:1]), foreign=frozenset(), shown=True))
