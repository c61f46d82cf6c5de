"""Sans-IO: what a routing script may use: `from sipcore.script import *`.

The decorators make routes, `Call` is what they get, the functions are those of OpenSIPS: each takes the call
first and is awaited. docs/reference/script.md lists them beside their equivalents.
"""

from sipcore.cachedb import CacheError, CacheQueryError
from sipcore.script.call import Call
from sipcore.script.event import RaisedEvent
from sipcore.script.functions.auth import (
    authenticate,
    consume_credentials,
    db_check_from,
    db_check_to,
    proxy_authorize,
    proxy_challenge,
    www_authorize,
    www_challenge,
)
from sipcore.script.functions.cachedb import (
    cache_add,
    cache_counter_fetch,
    cache_fetch,
    cache_raw_query,
    cache_remove,
    cache_store,
    cache_sub,
)
from sipcore.script.functions.domain import does_uri_exist, is_myself, may_relay
from sipcore.script.functions.log import xlog
from sipcore.script.functions.registrar import lookup, registered, save, unregister
from sipcore.script.functions.rr import add_path, loose_route, record_route, route_given
from sipcore.script.functions.sipmsgops import (
    append_hf,
    append_to_reply,
    has_body,
    has_totag,
    insert_hf,
    is_method,
    is_present_hf,
    mf_process_maxfwd_header,
    remove_hf,
    replace_hf,
    sipmsg_validate,
)
from sipcore.script.functions.tm import (
    append_branch,
    branches,
    drop,
    relay,
    remove_branch,
    send_reply,
    sl_send_reply,
    t_check_status,
    t_on_branch,
    t_on_failure,
    t_on_reply,
    t_relay,
    t_reply,
    t_set_fr,
    t_was_cancelled,
)
from sipcore.script.functions.waiting import sleep
from sipcore.script.route import branch_route, event_route, failure_route, reply_route, request_route
from sipcore.script.run import run

__all__ = [
    "CacheError",
    "CacheQueryError",
    "Call",
    "RaisedEvent",
    "add_path",
    "append_branch",
    "append_hf",
    "append_to_reply",
    "authenticate",
    "branch_route",
    "branches",
    "cache_add",
    "cache_counter_fetch",
    "cache_fetch",
    "cache_raw_query",
    "cache_remove",
    "cache_store",
    "cache_sub",
    "consume_credentials",
    "db_check_from",
    "db_check_to",
    "does_uri_exist",
    "drop",
    "event_route",
    "failure_route",
    "has_body",
    "has_totag",
    "insert_hf",
    "is_method",
    "is_myself",
    "is_present_hf",
    "lookup",
    "loose_route",
    "may_relay",
    "mf_process_maxfwd_header",
    "proxy_authorize",
    "proxy_challenge",
    "record_route",
    "registered",
    "relay",
    "remove_branch",
    "remove_hf",
    "replace_hf",
    "reply_route",
    "request_route",
    "route_given",
    "run",
    "save",
    "send_reply",
    "sipmsg_validate",
    "sl_send_reply",
    "sleep",
    "t_check_status",
    "t_on_branch",
    "t_on_failure",
    "t_on_reply",
    "t_relay",
    "t_reply",
    "t_set_fr",
    "t_was_cancelled",
    "unregister",
    "www_authorize",
    "www_challenge",
    "xlog",
]
