"""A real SIP core with TCP, TLS, WebSocket and IPv6 listeners, and phones over them."""

from collections.abc import Iterator

import pytest

from tests.kit.sip_streams import Streams


@pytest.fixture(scope="module")
def streams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Streams]:
    with Streams(tmp_path_factory.mktemp("streams")) as running:
        yield running


@pytest.mark.parametrize("transport", ["tcp", "tls", "tcp6"])
def test_a_phone_registers_over_a_connection_and_leaves(streams: Streams, transport: str) -> None:
    with streams.phones(transport, "carol") as phones:
        phones.register("carol")
        (row,) = streams.core.client.get("/v1/location?aor=carol@example.test")
        assert row["contact"].endswith(f";transport={transport[:3]}")
        phones.register("carol", expires=0)
        assert streams.core.client.get("/v1/location?aor=carol@example.test") == []
