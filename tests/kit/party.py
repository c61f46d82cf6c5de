"""IO shell: phones with a socket each; all of them are served while one is waited for."""

import time
from typing import NamedTuple

from haagent.lab.namespaces import Host
from sipcore.phone.agent import Event
from tests.kit.sip_live import DOMAIN, PATIENCE, LivePhones


class Proxy(NamedTuple):
    """The proxy of a phone, and the domain of its user."""

    host: str
    domain: str = DOMAIN

    @property
    def place(self) -> tuple[str, int]:
        """Its address."""
        return self.host, 5060


class Party:
    """Phones on one host, by name; each is a user of the same name behind a proxy of its own."""

    def __init__(self, host: Host, **phones: Proxy) -> None:
        with host.entered():
            self._phones = {
                name: LivePhones(
                    proxy.place, name.partition("_")[0], local=f"127.0.1.{index}:5060", domain=proxy.domain
                )
                for index, (name, proxy) in enumerate(phones.items(), 1)
            }

    def __enter__(self) -> "Party":
        return self

    def __exit__(self, *exc: object) -> None:
        for phone in self._phones.values():
            phone.wire.socket.close()

    def register(self, name: str) -> None:
        """A phone registers."""
        user = name.partition("_")[0].encode()
        self._phones[name].phone.register(user, 600, time.monotonic())
        event = self.until(name, "registered", "register_failed")
        assert event["event"] == "registered", event

    def call(self, call: str, caller: str, called: str) -> None:
        """A phone calls a user of the domain, or user@domain."""
        user = caller.partition("_")[0].encode()
        self._phones[caller].phone.call(call, user, called.encode(), time.monotonic())

    def answer(self, call: str, name: str) -> None:
        """A ringing phone answers, and both ends hear of it."""
        assert self._phones[name].phone.answer(call, time.monotonic())

    def cancel(self, call: str, name: str) -> None:
        """The caller gives up."""
        assert self._phones[name].phone.cancel(call, time.monotonic())

    def bye(self, call: str, name: str, side: str) -> None:
        """A phone hangs up and gets its answer."""
        assert self._phones[name].phone.bye(call, side, time.monotonic())
        assert self.until(name, "bye_answered")["status"] == 200

    def until(self, name: str, *events: str) -> Event:
        """The next of these events of one phone."""
        end = time.monotonic() + PATIENCE
        own = self._phones[name].phone.events
        while time.monotonic() < end:
            for event in own:
                if event["event"] in events:
                    own.remove(event)
                    return event
            for phone in self._phones.values():
                phone.wire.wait(0.01)
        raise AssertionError(f"{name}: none of {events} came: {self.events()}")

    def events(self) -> dict[str, list[Event]]:
        """What has happened and was not asked for."""
        return {name: phone.phone.events for name, phone in self._phones.items()}
