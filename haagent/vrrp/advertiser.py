"""IO shell: sends the advertisements of one virtual router: a frame to the group, or packets to its peers."""

from ipaddress import ip_address

from haagent.pipe import RouterSetup
from haagent.vrrp.pdu import Template
from haagent.vrrp.socket import FrameSocket, UnicastSocket


class Advertiser:
    """Everything is built before; a priority that was sent once is kept as bytes."""

    def __init__(self, setup: RouterSetup, frames: FrameSocket) -> None:
        self._templates = setup.adverts
        self._frames = frames
        self._built: dict[int, list[tuple[Template, bytes]]] = {}
        self._unicast: UnicastSocket | None = None
        if any(template.to for template in setup.adverts):
            self._unicast = UnicastSocket(setup.interface, ip_address(setup.source))

    def send(self, priority: int) -> bool:
        """Send to everybody; whether all of it went out."""
        packets = self._built.get(priority)
        if packets is None:
            packets = [(template, template.packet(priority)) for template in self._templates]
            self._built[priority] = packets
        sent = True
        for template, packet in packets:
            if self._unicast is not None and template.to:
                sent = self._unicast.send(packet, template.to) and sent
            else:
                sent = self._frames.send(packet) and sent
        return sent
