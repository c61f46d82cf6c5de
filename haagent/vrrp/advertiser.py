"""IO shell: sends the advertisements of one virtual router: a frame to the group, or packets to its peers."""

import time
from ipaddress import ip_address

from haagent.pipe import RouterSetup
from haagent.vrrp.authentication import Signer
from haagent.vrrp.pdu import Template
from haagent.vrrp.socket import FrameSocket, UnicastSocket


class Advertiser:
    """Everything is built before; a priority that was sent once is kept as bytes."""

    def __init__(self, setup: RouterSetup, frames: FrameSocket) -> None:
        self._frames = frames
        self.renew(setup)
        self._unicast: UnicastSocket | None = None
        if any(template.to for template in setup.adverts):
            self._unicast = UnicastSocket(setup.interface, ip_address(setup.source))

    def renew(self, setup: RouterSetup) -> None:
        """Send what another setup of the same router says: other addresses, other keys."""
        self._templates: list[Template] = setup.adverts
        keys = setup.terms.keys
        signs = keys is not None and keys.mode != "receive-only"
        self._signer = Signer(keys, ip_address(setup.source).packed) if keys is not None and signs else None
        self._built: dict[int, list[tuple[Template, bytes]]] = {}

    def send(self, priority: int) -> bool:
        """Send to everybody; whether all of it went out."""
        sent = True
        for template, packet in self._packets(priority):
            if self._unicast is not None and template.to:
                sent = self._unicast.send(packet, template.to) and sent
            else:
                sent = self._frames.send(packet) and sent
        return sent

    def _packets(self, priority: int) -> list[tuple[Template, bytes]]:
        """Signed ones are new each time."""
        signer = self._signer
        if signer is not None:
            utc = time.time()
            return [(template, signer.packet(template, priority, utc)) for template in self._templates]
        packets = self._built.get(priority)
        if packets is None:
            packets = [(template, template.packet(priority)) for template in self._templates]
            self._built[priority] = packets
        return packets
