"""Sans-IO: rate limits per source and bans."""

from ipaddress import ip_network

import pytest

from sipcore.transport.admission import Admission, AutoBan
from sipcore.transport.bans import BanError, BanList, parse_source
from sipcore.transport.layer import Hop
from sipcore.transport.pike import Pike, PikeSettings
from sipcore.transport.source import AllowList, source_of

SETTINGS = PikeSettings(
    sampling_time_unit=2.0, reqs_density_per_unit=10, remove_latency=120.0, max_sources=100
)
NOBODY = AllowList([])
PEERS = AllowList([ip_network("10.0.0.0/8"), ip_network("fd88::/32")])


class Blocks(list[tuple[str, int]]):
    def note(self, source: str, count: int, now: float) -> None:
        self.append((source, count))


def pike(blocks: Blocks, allow: AllowList = NOBODY) -> Pike:
    return Pike(SETTINGS, allow, blocks.note)


def flood(limit: Pike, host: str, count: int, now: float) -> int:
    return sum(limit.admits(host, now) for _ in range(count))


def test_below_the_density_everything_passes_for_ever() -> None:
    blocks = Blocks()
    limit = pike(blocks)
    assert all(flood(limit, "192.0.2.1", 9, unit * 2.0) == 9 for unit in range(100))
    assert blocks == []


def test_a_source_over_the_density_is_blocked_until_the_latency_after_its_last_hot_unit() -> None:
    blocks = Blocks()
    limit = pike(blocks)
    assert flood(limit, "192.0.2.1", 50, 0.0) == 9
    assert flood(limit, "192.0.2.2", 5, 0.0) == 5
    assert blocks == [("192.0.2.1", 10)]
    assert flood(limit, "192.0.2.1", 10, 100.0) == 0  # still at it
    assert not limit.admits("192.0.2.1", 219.0)
    assert limit.admits("192.0.2.1", 221.0)
    assert len(blocks) == 1


def test_all_addresses_of_an_ipv6_64_are_one_source() -> None:
    limit = pike(Blocks())
    assert sum(limit.admits(f"2001:db8:0:1::{n:x}", 0.0) for n in range(1, 30)) == 9
    assert limit.admits("2001:db8:0:2::1", 0.0)
    assert source_of("2001:db8:0:1:a:b:c:d") == "2001:db8:0:1::/64"
    assert source_of("::ffff:192.0.2.1") == "192.0.2.1"


def test_a_peer_on_the_allow_list_is_never_blocked() -> None:
    blocks = Blocks()
    limit = pike(blocks, PEERS)
    assert flood(limit, "10.1.2.3", 1000, 0.0) == 1000
    assert flood(limit, "fd88::7", 1000, 0.0) == 1000
    assert blocks == []
    limit = pike(blocks, AllowList([ip_network("2001:db8::7/128")]))
    assert flood(limit, "2001:db8::8", 1000, 0.0) == 9
    assert flood(limit, "2001:db8::7", 1000, 0.0) == 1000  # a neighbour in its /64 changes nothing


def test_forged_sources_cost_bounded_memory_and_a_flooder_that_was_there_before_is_still_blocked() -> None:
    limit = pike(Blocks())
    limit.admits("192.0.2.1", 0.0)
    for n in range(10_000):
        limit.admits(f"198.51.{n // 250}.{n % 250}", 0.0)
    assert len(limit._hits) == 100
    assert limit.untracked == 10_000 - 99
    assert flood(limit, "192.0.2.1", 50, 0.0) == 8


def test_a_flood_forged_over_udp_blocks_nobody_s_connection() -> None:
    admission = Admission(NOBODY, BanList(NOBODY), SETTINGS, auto_ban=AutoBan.STREAM)
    batch = [(b"x", Hop("192.0.2.1", 5060))] * 50
    assert len(admission.admit(batch, 0.0)) == 9
    assert admission.dropped == 41
    assert admission.admits_stream("192.0.2.1", 0.0)
    assert len(admission.bans) == 0


def test_by_configuration_pike_bans_whom_it_blocks() -> None:
    for mode, bans in ((AutoBan.NONE, 0), (AutoBan.STREAM, 1), (AutoBan.ALL, 2)):
        admission = Admission(NOBODY, BanList(NOBODY), SETTINGS, auto_ban=mode, ban_seconds=600)
        admission.admit([(b"x", Hop("192.0.2.1", 5060))] * 50, 0.0)
        for _ in range(50):
            admission.admits_stream("192.0.2.2", 0.0)
        assert len(admission.bans) == bans


def test_a_banned_source_is_dropped_and_counted_until_the_ban_ends() -> None:
    admission = Admission(NOBODY, BanList(NOBODY))
    assert not admission.is_active
    ban = admission.bans.add("192.0.2.1", 60, "scanner", 0.0)
    assert admission.is_active
    good = (b"y", Hop("192.0.2.2", 5060))
    assert admission.admit([(b"x", Hop("192.0.2.1", 9)), good], 1.0) == [good]
    assert not admission.admits_stream("192.0.2.1", 59.0)
    assert ban.dropped == 2
    assert admission.admits_stream("192.0.2.1", 60.0)
    assert not admission.is_active


def test_a_ban_has_limits_and_says_what_it_does_not_take() -> None:
    bans = BanList(PEERS, max_bans=2)
    for address, seconds, words in (
        ("10.0.0.1", 60, "allow-list"),
        ("fd88::1", 60, "allow-list"),
        ("example.test", 60, "neither"),
        ("192.0.2.0/24", 60, "neither"),
        ("192.0.2.1", 0, "not in"),
        ("192.0.2.1", float("inf"), "not in"),
    ):
        with pytest.raises(BanError, match=words):
            bans.add(address, seconds, "", 0.0)
    bans.add("192.0.2.1", 60, "", 0.0)
    bans.add("2001:db8::1", 60, "", 0.0)
    with pytest.raises(BanError, match="2 bans, which is the limit"):
        bans.add("192.0.2.3", 60, "", 0.0)
    bans.add("192.0.2.3", 60, "", 61.0)  # the others have ended
    assert [ban.source for ban in bans] == ["192.0.2.3"]
    assert bans.remove("192.0.2.3")
    assert not bans.remove("192.0.2.3")
    assert parse_source("2001:db8::1") == parse_source("2001:db8::/64") == "2001:db8::/64"
