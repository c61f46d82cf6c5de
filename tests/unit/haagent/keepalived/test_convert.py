"""keepalived.conf as operators write it becomes a haagent.toml that passes its check; notes tell the rest."""

import pytest

from haagent.config import AgentConfig, load
from haagent.keepalived.convert import Converted, convert
from haagent.keepalived.parse import ConvertError, parse

SIP = """
! Configuration File for keepalived
global_defs {
    router_id sip1            # the name of this node
    vrrp_version 3
    enable_script_security
    script_user keepalived_script
    notification_email { ops@example.com }
}
vrrp_script chk_kamailio {
    script "/usr/bin/killall -0 kamailio"
    interval 2
    fall 2
    rise 2
    weight -20
}
vrrp_instance VI_SIP
{
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 150
    advert_int 0.1
    authentication {
        auth_type PASS
        auth_pass secret12
    }
    unicast_src_ip 192.0.2.11
    unicast_peer { 192.0.2.12 }
    virtual_ipaddress {
        192.0.2.100/24 brd 192.0.2.255 dev eth0 scope global label eth0:sip
        2001:db8::100/64
    }
    track_interface { eth0
        eth1 weight -10 }
    track_script { chk_kamailio }
    notify_master "/usr/local/bin/go-master.sh"
    garp_master_delay 1
    smtp_alert
}
"""
TWO = """
vrrp_sync_group BOTH {
    group { OUT
            IN }
    notify /etc/keepalived/notify.sh
}
vrrp_instance OUT {
    interface eth0
    virtual_router_id 10
    priority 101
    nopreempt
    preempt_delay 30
    virtual_ipaddress { 198.51.100.1/24 }
}
vrrp_instance IN {
    interface eth1
    virtual_router_id 11
    priority 101
    nopreempt
    virtual_ipaddress { 10.0.0.1 }
    virtual_ipaddress_excluded { 10.0.0.2 }
}
"""


def nothing(_pattern: str, _source: str) -> list[tuple[str, str]]:
    return []


def done(text: str, node: str = "") -> Converted:
    return convert(parse(text, "k.conf", node=node, include=nothing))


def said(converted: Converted, line: int) -> str:
    return "\n".join(note.text for note in converted.notes if note.place.line == line)


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.split("\n"), 1) if part in line)


def test_a_pair_for_sip_keeps_its_virtual_router() -> None:
    config = load(done(SIP).text)
    router = config.virtual_router[0]
    assert config.node == "sip1"
    assert (router.name, router.vrid, router.interface, router.priority) == ("VI_SIP", 51, "eth0", 150)
    assert (router.version, router.advert_interval, router.preempt) == (3, 0.1, True)
    assert (router.vips, router.unicast_peers) == (("192.0.2.100", "2001:db8::100"), ("192.0.2.12",))


@pytest.mark.parametrize(
    ("part", "text"),
    [
        ("notification_email", "haagent sends no mail"),
        ("label eth0:sip", "label: not carried over"),
        ("garp_master_delay", "see [announce]"),
        ("smtp_alert", "alert on its metrics"),
        ("vrrp_instance VI_SIP", "version 3 has no password"),
    ],
)
def test_what_is_not_carried_over_is_said_with_its_line(part: str, text: str) -> None:
    assert text in said(done(SIP), line_of(SIP, part))


def test_what_has_a_key_or_is_done_anyway_is_not_complained_about() -> None:
    for part in (
        "router_id",
        "vrrp_version",
        "script_user",
        "state MASTER",
        "virtual_router_id",
        "unicast_peer",
    ):
        assert said(done(SIP), line_of(SIP, part)) == ""


def test_no_accept_is_carried_over_and_a_source_of_multicast_is_said_to_be_left_out() -> None:
    text = SIP.replace(
        "    virtual_router_id", "    no_accept\n    mcast_src_ip 192.0.2.11\n    virtual_router_id"
    )
    converted = done(text)
    router = load(converted.text).virtual_router[0]
    assert (router.accept, router.source) == (False, load(done(SIP).text).virtual_router[0].source)
    assert "the interface's first address" in said(converted, line_of(text, "mcast_src_ip"))
    assert said(converted, line_of(text, "no_accept")) == ""


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("use_vmac", "on"),
        ("use_vmac vrrp.51\n    vmac_xmit_base", "vips"),
        ("vmac_xmit_base\n    use_vmac", "vips"),
        ("vmac_xmit_base", "off"),
    ],
)
def test_a_virtual_mac_is_carried_over(words: str, wanted: str) -> None:
    text = SIP.replace("    virtual_router_id", f"    {words}\n    virtual_router_id")
    unicast = load(done(text).text).virtual_router[0]
    assert unicast.virtual_mac in ("vips", "off"), "the kernel sends unicast from the interface's own MAC"
    text = text.replace("    unicast_src_ip 192.0.2.11\n    unicast_peer { 192.0.2.12 }\n", "")
    converted = done(text)
    assert load(converted.text).virtual_router[0].virtual_mac == wanted
    named = said(converted, line_of(text, "use_vmac")) if "use_vmac" in words else ""
    assert ("names the interface by itself" in named) is ("vrrp.51" in words)


def test_checks_are_carried_over_or_said_to_be_missing() -> None:
    converted = done(SIP)
    if "check" not in AgentConfig.__struct_fields__:
        assert "has no [[check]]" in "\n".join(map(str, converted.notes))
        return
    assert 'command = ["/usr/bin/killall", "-0", "kamailio"]' in converted.text
    assert 'user = "keepalived_script"' in converted.text
    assert "weight = -20" in converted.text
    assert 'interface = "eth1"' in converted.text
    assert converted.text.count("[[check]]") == 2, "the virtual router's own interface is watched anyway"


def test_version_2_is_keepalived_s_default_and_its_password_goes_to_a_file() -> None:
    old = SIP.replace("    vrrp_version 3\n", "").replace("        2001:db8::100/64\n", "")
    router = load(done(old).text).virtual_router[0]
    assert (router.version, router.advert_interval) == (2, 1.0)
    assert router.password_file == "/etc/haagent/VI_SIP.password"
    assert "first eight characters into /etc/haagent/VI_SIP.password" in "\n".join(map(str, done(old).notes))
    assert "when both run haagent, take 3" in "\n".join(map(str, done(old).notes))


def test_a_startup_delay_is_carried_over() -> None:
    text = SIP.replace("    vrrp_version 3\n", "    vrrp_version 3\n    vrrp_startup_delay 5.5\n")
    assert load(done(text).text).startup_delay == 5.5


def test_what_is_in_one_sync_group_is_in_one_group() -> None:
    converted = done(TWO)
    routers = load(converted.text).virtual_router
    assert [router.name for router in routers] == ["OUT", "IN"]
    assert [router.preempt for router in routers] == [False, False]
    assert routers[1].vips == ("10.0.0.1", "10.0.0.2")
    assert [router.group for router in routers] == ["", ""]


def test_what_is_in_no_common_sync_group_becomes_a_group_of_its_own() -> None:
    alone = TWO[TWO.index("vrrp_instance OUT") :]
    for text in (alone, TWO.replace("            IN }", "}")):
        converted = done(text)
        config = load(converted.text)
        assert [router.group for router in config.virtual_router] == ["", "IN"]
        assert [group.name for group in config.group] == ["IN"]
        assert "moves on its own, as group 'IN'" in said(converted, line_of(text, "vrrp_instance IN"))


def test_more_groups_than_there_may_be_are_said_and_move_together() -> None:
    one = TWO[TWO.index("vrrp_instance OUT") : TWO.index("vrrp_instance IN")]
    text = "".join(
        one.replace("OUT", f"I{n}")
        .replace("virtual_router_id 10", f"virtual_router_id {n + 1}")
        .replace("10.0.0", f"10.0.{n}")
        for n in range(18)
    )
    converted = done(text)
    assert "too many groups" in "\n".join(map(str, converted.notes))
    assert "[[group]]" not in converted.text


def test_lines_of_another_node_and_their_blocks_are_left_out() -> None:
    text = """
vrrp_instance A {
    interface eth0
    virtual_router_id 1
    @one priority 200
    @^one priority 100
    @two unicast_peer {
        192.0.2.1
    }
    @one virtual_ipaddress { 192.0.2.50 }
    @two virtual_ipaddress
    {
        192.0.2.60
    }
}
"""
    one, two = (load(done(text, node).text).virtual_router[0] for node in ("one", "two"))
    assert (one.priority, one.vips, one.unicast_peers) == (200, ("192.0.2.50",), ())
    assert (two.priority, two.vips, two.unicast_peers) == (100, ("192.0.2.60",), ("192.0.2.1",))


def test_files_are_included_and_definitions_are_replaced() -> None:
    files = {"conf.d/*.conf": [("conf.d/a.conf", "vrrp_instance A {\n interface $DEV\n include vips\n}")]}
    files["vips"] = [("vips", "virtual_router_id 7\nvirtual_ipaddress { ${NET}.9 }\nsmtp_alert")]
    text = "$DEV=eth3\n$NET=192.0.2\ninclude conf.d/*.conf\n"
    converted = convert(parse(text, "k.conf", include=lambda pattern, _source: files[pattern]))
    router = load(converted.text).virtual_router[0]
    assert (router.interface, router.vips) == ("eth3", ("192.0.2.9",))
    assert [str(note.place) for note in converted.notes if "smtp" in note.text] == ["vips:3"]


def test_an_ipv6_virtual_router_gets_the_link_local_address_that_the_rfc_wants() -> None:
    body = "interface eth0\n virtual_router_id 6\n virtual_ipaddress {\n 2001:db8::1/64\n }\n}"
    text = "global_defs { vrrp_version 3 }\nvrrp_instance A {\n " + body
    converted = done(text)
    assert load(converted.text).virtual_router[0].vips == ("fe80::6", "2001:db8::1")
    assert "fe80::6 was added" in said(converted, 2)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("vrrp_instance A {\n interface eth0\n", "k.conf:1: vrrp_instance: its brace is never closed"),
        ("a b\n}\n", "k.conf:2: a brace closes that none has opened"),
        ("\n{\n", "k.conf:2: a brace opens without a keyword"),
        ('a "b\n', "k.conf:1: a quote is never closed"),
        ("a { b {" * 20, "k.conf:1: more than 16 deep"),
        ("x\n~SEQ(var,1,2)\n", "k.conf:2: ~SEQ: write its lines out first"),
        ("$A=1 \\\n", "k.conf:1: a definition over several lines"),
    ],
)
def test_what_cannot_be_read_is_named_with_file_and_line(text: str, error: str) -> None:
    with pytest.raises(ConvertError, match=error.replace("(", "\\(")):
        done(text)


def test_a_file_that_includes_itself_ends() -> None:
    with pytest.raises(ConvertError, match="include each other more than 16 deep"):
        parse("include x", "k.conf", include=lambda _pattern, _source: [("x", "include x")])


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("virtual_router_id 51", "virtual_router_id 300", "'300' is not in 1..255"),
        ("virtual_router_id 51", "", "vrrp_instance VI_SIP: no vrid: not carried over"),
        ("    interface eth0\n", "", "no interface"),
        ("priority 150", "priority high", "'high' is not in 1..255"),
        ("192.0.2.100/24", "sip.example.com", "'sip.example.com' is not an address"),
        ("smtp_alert", "frobnicate 7", "frobnicate: unknown here, not carried over"),
    ],
)
def test_a_wrong_value_is_named(old: str, new: str, text: str) -> None:
    assert text in "\n".join(map(str, done(SIP.replace(old, new)).notes))


HOOKS = SIP.replace(
    "    garp_master_delay 1",
    """    notify "/usr/local/bin/notify.sh 'two words'" telco
    notify_stop "logger stopped | cat"
    notify_deleted /usr/local/bin/gone.sh""",
).replace(
    "global_defs {",
    """global_defs {
    vrrp_notify_fifo /run/k.fifo
    vrrp_notify_fifo_script /usr/local/bin/reader.sh
    notify_fifo /run/second.fifo""",
)


def test_notify_lines_become_hooks_with_keepalived_s_arguments_where_it_appends_them() -> None:
    config = load(done(HOOKS).text)
    every = {hook.name: hook for hook in config.hook}
    notify, master, stop = (every[f"VI_SIP-{word}"] for word in ("notify", "notify_master", "notify_stop"))
    assert (notify.command, notify.user) == (("/usr/local/bin/notify.sh", "two words"), "telco")
    assert (notify.arguments, notify.routers, len(notify.states)) == ("keepalived", ("VI_SIP",), 4)
    assert (master.command, master.states, master.arguments) == (
        ("/usr/local/bin/go-master.sh",),
        ("MASTER",),
        "none",
    )
    assert stop.command == ("/bin/sh", "-c", "logger stopped | cat")
    assert said(done(HOOKS), line_of(HOOKS, "notify_master")) == ""
    assert "of which notify_stop hears" in said(done(HOOKS), line_of(HOOKS, "notify_deleted"))


def test_the_notify_fifo_and_its_reader_are_carried_over() -> None:
    hooks = load(done(HOOKS).text).hooks
    assert (hooks.fifo, hooks.fifo_command) == ("/run/k.fifo", ("/usr/local/bin/reader.sh",))
    assert "there is one event stream, /run/k.fifo" in said(done(HOOKS), line_of(HOOKS, "second.fifo"))


def test_a_sync_group_s_notify_is_a_hook_of_the_group() -> None:
    converted = done(TWO)
    (hook,) = load(converted.text).hook
    assert (hook.of, hook.command) == ("group", ("/etc/keepalived/notify.sh",))
    assert hook.routers == ("OUT", "IN")
    assert "GROUP is told with the name of the node" in said(converted, line_of(TWO, "BOTH"))
    assert "runs as nobody" in said(converted, line_of(TWO, "notify /etc"))


def test_two_notify_lines_of_one_instance_are_two_hooks() -> None:
    text = HOOKS.replace("notify_deleted /usr", "notify_master /usr")
    names = [hook.name for hook in load(done(text).text).hook]
    assert names == ["VI_SIP-notify_master", "VI_SIP-notify", "VI_SIP-notify_stop", "VI_SIP-notify_master-2"]
