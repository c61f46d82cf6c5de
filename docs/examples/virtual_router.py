"""A VRRP router on one's own sockets: virtual_router.py INTERFACE ADDRESS VRID VIP PRIORITY [SECONDS]."""

import select
import socket
import sys
import time
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path

from haagent.vrrp import Advertisement, RouterEffect, SendAdvertisement, VirtualRouter
from haagent.vrrp.frames import Sender, multicast
from haagent.vrrp.packet import AdvertisementReader, Terms
from haagent.vrrp.socket import FrameSocket, open_vrrp


def main(interface: str, address: str, *, vrid: int, vip: str, priority: int, seconds: float) -> None:
    """Take part in the election; what a master does beside advertising is up to the caller."""
    here, mac = ip_address(address), Path(f"/sys/class/net/{interface}/address").read_text().strip()
    sender = Sender(vrid=vrid, interval=seconds, mac=mac, source=here, vips=[ip_address(vip)])
    template, frames = multicast(sender), FrameSocket(interface)
    reader = AdvertisementReader({vrid: Terms(interval=seconds)}, own=here.packed)
    receiver = open_vrrp(here.version, interface, socket.if_nametoindex(interface))
    router = VirtualRouter(vrid=vrid, priority=priority, address=int(here), interval=seconds)

    def carry_out(effects: Iterable[RouterEffect]) -> None:
        for effect in effects:
            if isinstance(effect, SendAdvertisement):
                frames.send(template.packet(effect.priority))
            else:
                print(f"{effect.old.name} -> {effect.new.name}: {effect.reason}", flush=True)  # noqa: T201

    carry_out(router.on_startup(time.monotonic()))
    while router.deadline is not None:
        wait = max(0.0, router.deadline - time.monotonic())
        for ready in select.select([receiver], [], [], wait)[0]:
            for packet in ready.read():
                if isinstance(advert := reader.read(packet), Advertisement):
                    carry_out(router.on_advertisement(advert, time.monotonic()))
        carry_out(router.on_timer(time.monotonic()))


if __name__ == "__main__":
    nic, own, number, virtual, rank, *rest = sys.argv[1:]
    pace = float(rest[0]) if rest else 1.0
    main(nic, own, vrid=int(number), vip=virtual, priority=int(rank), seconds=pace)
