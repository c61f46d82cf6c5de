"""IO shell: the digest vectors of RFC 7616 section 3.9 and RFC 2617 section 3.5; each names its origin."""

import json
from pathlib import Path

import pytest

from sipcore.auth.algorithm import BY_NAME, HASHES, ha1
from sipcore.auth.digest import digest_response, parse_credentials

VECTORS = json.loads(Path(__file__).with_name("vectors.json").read_text())


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['source'][:8]}-{v['algorithm']}")
def test_the_response_is_that_of_the_rfc(vector: dict[str, str]) -> None:
    v = {name: value.encode() for name, value in vector.items()}
    algorithm = BY_NAME[v["algorithm"].lower()]
    if algorithm not in HASHES:
        pytest.skip(f"OpenSSL of this host has no {vector['algorithm']}")
    kept = ha1(v["username"], v["realm"], v["password"], algorithm)
    assert kept == v["ha1"]
    line = b", ".join(b'%s="%s"' % (n.encode(), v[n]) for n in ("uri", "nonce", "nc", "cnonce", "qop"))
    given = parse_credentials(b"Digest " + line)
    assert given is not None
    assert digest_response(kept, algorithm, v["method"], given) == v["response"]
