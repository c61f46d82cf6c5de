"""Sans-IO: what of keepalived.conf has no key in haagent.toml, and what to do instead."""

from dataclasses import dataclass

from haagent.keepalived.parse import Place

ANNOUNCE = "not carried over: see [announce]: at the takeover, then repeats, and refresh if wanted"
NOT_NEEDED = "not needed"

INSTEAD = {
    "notify_deleted": "not carried over: a virtual router goes by a restart, of which notify_stop hears",
    "notify_master_rx_lower_pri": "not carried over: two masters are an alarm in the log",
    "smtp_alert": "not carried over: haagent sends no mail; alert on its metrics",
    "smtp_alert_vrrp": "not carried over: haagent sends no mail; alert on its metrics",
    "notification_email": "not carried over: haagent sends no mail; alert on its metrics",
    "notification_email_from": "not carried over: haagent sends no mail",
    "smtp_server": "not carried over: haagent sends no mail",
    "smtp_connect_timeout": "not carried over: haagent sends no mail",
    "use_ipvlan": "not carried over: frames leave from the interface's own MAC",
    "garp_master_delay": ANNOUNCE,
    "garp_master_repeat": ANNOUNCE,
    "garp_master_refresh": ANNOUNCE,
    "garp_master_refresh_repeat": ANNOUNCE,
    "garp_lower_prio_delay": ANNOUNCE,
    "garp_lower_prio_repeat": ANNOUNCE,
    "vrrp_garp_master_delay": ANNOUNCE,
    "vrrp_garp_master_repeat": ANNOUNCE,
    "vrrp_garp_master_refresh": ANNOUNCE,
    "vrrp_garp_interval": ANNOUNCE,
    "vrrp_gna_interval": ANNOUNCE,
    "virtual_routes": "not carried over: add the routes to the system, with the VIP as source where needed",
    "virtual_rules": "not carried over: add the rules to the system",
    "virtual_server": "not carried over: haagent does not balance load (IPVS)",
    "virtual_server_group": "not carried over: haagent does not balance load (IPVS)",
    "real_server": "not carried over: haagent does not balance load (IPVS)",
    "lvs_sync_daemon": "not carried over: haagent does not balance load (IPVS)",
    "lvs_sync_daemon_interface": "not carried over: haagent does not balance load (IPVS)",
    "track_bfd": "not carried over: [peer] with hello sees the peer's death in milliseconds",
    "track_src_ip": "not carried over: a link that goes down is a fault",
    "bfd_instance": "not carried over: [peer] with hello sees the peer's death in milliseconds",
    "vrrp_mcast_group4": "not carried over: haagent uses 224.0.0.18 alone; use unicast_peers",
    "vrrp_mcast_group6": "not carried over: haagent uses ff02::12 alone; use unicast_peers",
    "mcast_src_ip": "not carried over: advertisements come from the interface's first address",
    "dont_track_primary": "not carried over: a dead link is always a fault",
    "strict_mode": "not carried over: see docs/rfc for what haagent obeys",
    "vrrp_strict": "not carried over: see docs/rfc for what haagent obeys",
    "lower_prio_no_advert": "not carried over: a master answers a lesser advertisement at once (RFC 9568)",
    "down_timer_adverts": "not carried over: three intervals and the skew, as the RFC says",
    "skip_check_adv_addr": "not carried over: see vips_mismatch",
    "static_ipaddress": "not carried over: configure the system's own addresses in the system",
    "static_routes": "not carried over: configure the system's own routes in the system",
    "static_rules": "not carried over: configure the system's own rules in the system",
    "net_namespace": "not carried over: start the agent in the namespace (NetworkNamespacePath= of systemd)",
}
SILENT = {
    "notify", "notify_master", "notify_backup", "notify_fault", "notify_stop",  # hooks.py
    "notify_fifo", "notify_fifo_script", "vrrp_notify_fifo", "vrrp_notify_fifo_script",
    "state", "router_id", "vrrp_version", "script_user", "enable_script_security", "debug", "native_ipv6",
    "accept", "preempt", "higher_prio_send_advert", "vrrp_higher_prio_send_advert", "dynamic_interfaces",
    "max_auto_priority", "vrrp_rt_priority", "vrrp_no_swap", "vrrp_priority", "vrrp_iptables", "vrrp_ipsets",
    "vrrp_skip_check_adv_addr", "vrrp_lower_prio_no_advert", "promote_secondaries", "process_names",
    "checker_priority", "global_tracking", "sync_group_tracking_weight", "lvs_id", "script_timeout",
    "kernel_rx_buf", "vrrp_startup_delay", "use_pid_dir", "nftables", "vrrp_min_garp",
}  # fmt: skip


@dataclass(slots=True)
class Note:
    """One line on standard error."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def advice(keyword: str) -> str | None:
    """What to say of a keyword that has no key here; None: nothing, haagent does so anyway."""
    if keyword in SILENT:
        return None
    return f"{keyword}: {INSTEAD.get(keyword, 'unknown here, not carried over')}"
