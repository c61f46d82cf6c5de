"""Sans-IO: names of the grammar of RFC 3261 section 25.1 as patterns.

Every repetition is possessive (`++`, `*+`): no input makes them go back and try again.
"""

import re

TOKEN = re.compile(rb"[A-Za-z0-9.!%*_+`'~-]++\Z")
QUOTED_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
HOST = rb"(?:\[[0-9A-Fa-f:.]++\]|[A-Za-z0-9._-]++)"
SIP_VERSION = re.compile(rb"SIP/\d++\.\d++\Z", re.IGNORECASE)
ABSOLUTE_URI = re.compile(rb"[A-Za-z][A-Za-z0-9+.-]*+:[^\s<>\"]++\Z")

# The Request-URI of a SIP URI has no headers (section 19.1.1, table).
SIP_REQUEST_URI = rb"[Ss][Ii][Pp][Ss]?:(?:[^@<>\"\s]++@)?" + HOST + rb"(?::\d{1,5}+)?(?:;[^?<>\"@\s]*+)?"
REQUEST_LINE = re.compile(rb"([A-Z]++) (" + SIP_REQUEST_URI + rb") SIP/2\.0\Z")
IS_SIP_REQUEST_URI = re.compile(SIP_REQUEST_URI + rb"\Z")

# The usual forms of From and To; group 1 is the tag. Others are read by NameAddr.parse.
USUAL_ADDRESS = re.compile(
    rb'(?:(?:"[^"\\<>]*+" ?|[^"<>;:,\\]*+)<[A-Za-z][A-Za-z0-9+.-]*+:[^<>" \t]++>|[A-Za-z]++:[^ \t<>"?,;]++)'
    rb'(?:;tag=([^;" \t<>=,]++))?+\Z'
)
# The usual form of Via: transport, host, port, parameters without quotes and white space.
USUAL_VIA = re.compile(
    rb"SIP/2\.0/([A-Z]++) (" + HOST + rb")(?::(\d{1,5}+))?((?:;[A-Za-z0-9.!%*_+`'~=:\[\]-]++)*+)\Z"
)
# Any Via, its white space collapsed.
VIA = re.compile(
    rb"SIP ?/ ?2\.0 ?/ ?([A-Za-z0-9.!%*_+`'~-]++) (" + HOST + rb") ?(?:: ?(\d{1,5}+) ?)?(;.*+)?\Z",
    re.DOTALL | re.IGNORECASE,
)
EMPTY_VALUE = re.compile(rb",[\s;]*+(?:,|\Z)|\A\s*+,")
SCHEME = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*+):")
HOSTPORT = re.compile(rb"(" + HOST + rb")(?::(\d{1,5}+))?\Z")
ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
