"""IO shell: the tap of the running server, with the capture servers that the config names."""

import time
from collections.abc import Mapping

import structlog

from sipcore.errors import ConfigError
from sipcore.files import Loaded
from sipcore.transport.hep import HepEncoder
from sipcore.transport.hep_sender import HepSender
from sipcore.transport.trace import SAMPLES, Filter, Tap

log = structlog.get_logger(__name__)


class Tracing:
    """Owns the tap; `start` and `stop` open and close the way to the capture servers."""

    def __init__(self, loaded: Loaded, now: float) -> None:
        config = loaded.config
        trace = config.trace
        local = tuple((listen.address, listen.port) for listen in config.listen)
        self.tap = Tap(local, time.time() - now, self._on_broken)
        encoder = HepEncoder(trace.capture_id, loaded.capture_key)
        wanted = Filter(sample=max(1, round(trace.sample * SAMPLES)))
        self._senders = {
            server: HepSender(server.pair, trace.transport, encoder, wanted, secrets=trace.secrets)
            for server in trace.hep
        }

    async def start(self) -> None:
        """Open the way to each capture server and begin to copy."""
        for server, sender in self._senders.items():
            try:
                await sender.start()
            except OSError as error:
                raise ConfigError(f"trace.hep: {server}: {error.strerror}") from error
            self.tap.watchers.append(sender)

    async def stop(self) -> None:
        """Copy no more."""
        for sender in self._senders.values():
            await sender.stop()
        self.tap.watchers.clear()

    @property
    def counters(self) -> Mapping[str, int]:
        """What the capture servers got and what they did not get."""
        senders = self._senders.values()
        return {
            "hep_sent": sum(sender.sent for sender in senders),
            "hep_lost": sum(sender.lost for sender in senders),
        }

    @staticmethod
    def _on_broken(error: Exception) -> None:
        log.error("trace broken", exc_info=error)
