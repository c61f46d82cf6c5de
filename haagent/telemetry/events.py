"""Sans-IO: the catalogue of events: what the log and `/events` may say, each with its constant name.

What an event carries is in docs/reference/events.md. The name of a released event does not change.
"""

from enum import StrEnum


class Event(StrEnum):
    """The value is the word in the log and the `event:` of the stream."""

    # the role
    ROLE_CHANGED = "role_changed"
    CORE_TOLD = "core_told"
    PAUSED = "paused"
    RESUMED = "resumed"
    SWITCHOVER_PLANNED = "switchover_planned"
    SWITCHOVER_MISSED = "switchover_missed"
    # what the role depends on
    CHECK_CHANGED = "check_changed"
    PEER_CHANGED = "peer_changed"
    CORE_CHANGED = "core_changed"
    CORE_GONE = "core_gone"
    WITNESS_CHANGED = "witness_changed"
    # an operator should look
    ALARM = "alarm"
    NOTE = "note"
    TWO_OWNERS = "two_owners"
    ONE_OWNER = "one_owner"
    CORE_REFUSES_ROLE = "core_refuses_role"
    CORE_NOT_TOLD = "core_not_told"
    PROBE_BROKE = "probe_broke"
    STATE_NOT_WRITTEN = "state_not_written"
    # hooks
    HOOK_TOLD = "hook_told"
    HOOK_FAILED = "hook_failed"
    HOOK_DROPPED = "hook_dropped"
    HOOK_BROKE = "hook_broke"
    STREAM_READER_ENDED = "stream_reader_ended"
    # the agent itself
    RELOADED = "reloaded"
    RELOAD_REFUSED = "reload_refused"
    ADDRESS_CLEANED = "address_cleaned"
    VIRTUAL_MAC_CLEANED = "virtual_mac_cleaned"
    RULES_PUT_BACK = "rules_put_back"
    RULES_NOT_CHECKED = "rules_not_checked"
    RULES_NOT_FLIPPED = "rules_not_flipped"
    GROUP_DIED = "group_died"
    GUARD_DIED = "guard_died"
    GUARD_STUCK = "guard_stuck"
    GUARD_NOT_TOLD = "guard_not_told"
    WATCHDOG_STARVES = "watchdog_starves"
    WATCHDOG_FIXED = "watchdog_fixed"
