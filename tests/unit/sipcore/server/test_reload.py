"""IO shell: reloading part by part."""

from sipcore.errors import SipcoreError
from sipcore.server.reload import Reloads


def refused() -> str:
    raise SipcoreError("route.py:7: unknown name 'relya'")


def test_a_part_that_is_refused_does_not_keep_the_others() -> None:
    reloads = Reloads()
    reloads.add("script", refused)
    reloads.add("certificates", lambda: "read anew")
    assert reloads.run() == [
        {"what": "script", "done": False, "message": "route.py:7: unknown name 'relya'"},
        {"what": "certificates", "done": True, "message": "read anew"},
    ]
