"""The call flows of RFC 3665, played by sipp through one and two SIP cores; docs/rfc/3665.md has the table.

Proxy 1 serves atlanta.example.com and challenges Alice; it finds Proxy 2, of biloxi.example.com, by DNS.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from haagent.lab.namespaces import Host
from tests.kit.capture import Capture
from tests.kit.loopback import loopback
from tests.kit.named import Named
from tests.kit.sip_live import USERS, CoreProcess
from tests.kit.sipp import Sipp

pytestmark = pytest.mark.interop
SCENARIOS = Path(__file__).parent / "sipp" / "rfc3665"
PROXY1, PROXY2, DNS, DEAD, ALG, ALICE, BOB = (f"127.0.0.{n}" for n in (1, 2, 1, 3, 5, 10, 20))
ZONE = f"""
biloxi NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.biloxi
_sip._udp.biloxi SRV 10 10 5060 ss2.biloxi
ss2.biloxi A {PROXY2}
dead.biloxi A {DEAD}
"""
MORE = f"""
[proxy]
no_answer = "3s"
failover = "1s"
[resolver]
nameservers = ["{DNS}:53"]
"""

GATEWAY = f"""
from sipcore.script import *


@request_route
async def main(call: Call) -> None:
    if await has_totag(call):
        await loose_route(call)
    else:
        await record_route(call)
    if await is_method(call, "INVITE"):
        await fix_nated_sdp(call, "{ALG}")
        await t_on_reply(call, "answer")
    await relay(call)


@reply_route("answer")
async def answer(call: Call) -> None:
    await fix_nated_sdp(call, "{ALG}")
"""


class Flows(NamedTuple):
    """What the flows are played on."""

    host: Host
    folder: Path
    named: Named
    proxy1: CoreProcess
    proxy2: CoreProcess

    def sipp(self, scenario: str, local: str, *words: str) -> Sipp:
        """One side of a flow."""
        return Sipp(self.host, SCENARIOS / f"{scenario}.xml", local, *words, folder=self.folder)

    def register(self, scenario: str, user: str = "bob", password: str = "") -> None:
        """A flow of section 2: Bob and his registrar."""
        users = self.folder / "users.csv"
        password = password or USERS[user]
        users.write_text(f"SEQUENTIAL\n[authentication username={user} password={password}];{user}\n")
        with self.sipp(scenario, BOB, f"{PROXY2}:5060", "-inf", str(users)) as bob:
            bob.finish()

    def call(self, flow: str, *, through: str = PROXY1) -> None:
        """A flow of section 3: Alice calls Bob."""
        users = self.folder / "users.csv"
        users.write_text(f"SEQUENTIAL\n[authentication username=alice password={USERS['alice']}]\n")
        with self.sipp(f"{flow}.bob", BOB) as bob:
            with self.sipp(f"{flow}.alice", ALICE, f"{through}:5060", "-inf", str(users)) as alice:
                alice.finish(bob.said)
            bob.finish()

    def contacts(self) -> list[str]:
        """Where Bob is registered."""
        rows = self.proxy2.client.get("/v1/location?aor=bob@biloxi.example.com")
        return sorted(row["contact"] for row in rows)


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flows]:
    folder = tmp_path_factory.mktemp("rfc3665")
    with (
        loopback("rfc3665") as host,
        Named(folder / "dns", ZONE, zone="example.com", address=DNS, port=53, host=host) as named,
        CoreProcess(
            folder,
            node="ss1",
            address=PROXY1,
            port=5060,
            domain="atlanta.example.com",
            more=MORE.replace("[proxy]", "[proxy]\nauthenticate = true"),
            spawn=host.spawn,
        ) as proxy1,
    ):
        (folder / "biloxi").mkdir()
        with CoreProcess(
            folder / "biloxi",
            node="ss2",
            address=PROXY2,
            port=5060,
            domain="biloxi.example.com",
            more=MORE,
            spawn=host.spawn,
        ) as proxy2:
            with Capture(host, "lo", only="udp port 5060") as capture:
                yield Flows(host, folder, named, proxy1, proxy2)

    assert len(capture.decode("sip.Method == INVITE", "sip.Call-ID")) > 10
    assert capture.sip_faults() == []


def test_2_1_a_new_registration(flows: Flows) -> None:
    flows.register("2.1")
    assert flows.contacts() == [f"sip:bob@{BOB}:5060"]


def test_2_2_a_second_contact_joins_the_first(flows: Flows) -> None:
    flows.register("2.1")
    flows.register("2.2")
    assert flows.contacts() == [f"sip:bob@{BOB}:5060", "sip:bob@127.0.0.99:5070"]


def test_2_3_asking_for_the_contacts_changes_none(flows: Flows) -> None:
    flows.register("2.1")
    before = flows.contacts()
    flows.register("2.3")
    assert flows.contacts() == before


def test_2_4_all_contacts_are_cancelled(flows: Flows) -> None:
    flows.register("2.1")
    flows.register("2.4")
    assert flows.contacts() == []


def test_2_5_a_wrong_password_registers_nothing(flows: Flows) -> None:
    flows.register("2.4")
    flows.register("2.5", password="wrong")
    assert flows.contacts() == []


@pytest.fixture
def bob(flows: Flows) -> None:
    """Bob is registered at one place, and Carol beside him."""
    flows.register("2.4")
    flows.register("2.1")
    flows.register("2.1", "carol")


@pytest.mark.usefixtures("bob")
def test_3_1_a_session(flows: Flows) -> None:
    flows.call("3.1", through=PROXY2)


@pytest.mark.usefixtures("bob")
def test_3_5_an_alg_gives_its_own_address_for_the_media(flows: Flows, tmp_path: Path) -> None:
    (tmp_path / "route.py").write_text(GATEWAY)
    more = f'[resolver]\nnameservers = ["{DNS}:53"]\n[script]\npath = "{tmp_path}/route.py"\n'
    with CoreProcess(
        tmp_path,
        node="alg",
        address=ALG,
        port=5060,
        domain="atlanta.example.com",
        more=more,
        spawn=flows.host.spawn,
    ):
        flows.call("3.5", through=ALG)


@pytest.mark.usefixtures("bob")
@pytest.mark.parametrize("flow", ["3.2", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11"])
def test_a_call_through_two_proxies(flows: Flows, flow: str) -> None:
    flows.call(flow)


@pytest.mark.usefixtures("bob")
def test_3_4_the_first_server_of_the_domain_is_dead(flows: Flows) -> None:
    flows.named.update("add _sip._udp.biloxi.example.com 60 SRV 5 10 5060 dead.biloxi.example.com")
    flows.proxy1.client.delete("/v1/resolver")
    try:
        flows.call("3.2")
    finally:
        flows.named.update(
            "delete _sip._udp.biloxi.example.com SRV",
            "add _sip._udp.biloxi.example.com 60 SRV 10 10 5060 ss2.biloxi.example.com",
        )
        flows.proxy1.client.delete("/v1/resolver")
