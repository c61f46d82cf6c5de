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

_NAME = rb"[^:]++:[ \t]*+"  # what stands before a value in a header line

# The usual forms of header lines; what looks otherwise is read by slower code.
STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6]\d\d) (.*+)\Z", re.DOTALL)
# Via: transport, host, port, branch, other parameters, these without quotes and white space.
_VIA = (
    rb"SIP/2\.0/([A-Z]++) ("
    + HOST
    + rb")(?::(\d{1,5}+))?(?:;branch=([A-Za-z0-9.!%*_+`'~-]++))?((?:;[A-Za-z0-9.!%*_+`'~=:\[\]-]++)*+)\Z"
)
USUAL_VIA = re.compile(_VIA)
VIA_LINE = re.compile(_NAME + _VIA)
# From and To: the tag.
ADDRESS_LINE = re.compile(
    _NAME
    + rb'(?:(?:"[^"\\<>\r\n]*+" ?|[^"<>;:,\\\r\n]*+)<[A-Za-z][A-Za-z0-9+.-]*+:[^<>" \t\r\n]++>'
    + rb'|[A-Za-z]++:[^ \t\r\n<>"?,;]++)(?:;tag=([^;" \t\r\n<>=,]++))?+\Z'
)
CALL_ID_LINE = re.compile(_NAME + rb"([^ \t\r\n]++)[ \t]*+\Z")
CSEQ_LINE = re.compile(_NAME + rb"(\d{1,10}+) ([A-Z]++)\Z")
# Any Via, its white space collapsed.
VIA = re.compile(
    rb"SIP ?/ ?2\.0 ?/ ?([A-Za-z0-9.!%*_+`'~-]++) (" + HOST + rb") ?(?:: ?(\d{1,5}+) ?)?(;.*+)?\Z",
    re.DOTALL | re.IGNORECASE,
)
EMPTY_VALUE = re.compile(rb",[\s;]*+(?:,|\Z)|\A\s*+,")
SCHEME = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*+):")
HOSTPORT = re.compile(rb"(" + HOST + rb")(?::(\d{1,5}+))?\Z")
ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
