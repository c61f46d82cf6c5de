"""IO shell: fuzz the parsers for a while: `python -m tests.fuzz [TARGET ...]`, FUZZ_SECONDS for each.

What breaks one is written to the folder `fuzz-findings` and named; a finding becomes a test, then a fix.
"""

import os
import random
import sys
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from tests.fuzz.mutate import fuzz
from tests.fuzz.targets import TARGETS

FINDINGS = Path("fuzz-findings")


def main() -> int:
    """Fuzz what was named, or everything; 1 when something broke."""
    seconds = float(os.environ.get("FUZZ_SECONDS", "600"))
    seed = int(os.environ.get("FUZZ_SEED", str(random.SystemRandom().randrange(2**32))))
    broken = 0
    for name in sys.argv[1:] or TARGETS:
        runs, finding = fuzz(name, random.Random(seed), _until(time.monotonic() + seconds))
        said = "nothing broke"
        if finding is not None:
            broken += 1
            FINDINGS.mkdir(exist_ok=True)
            path = FINDINGS / f"{name}-{sha256(finding.data).hexdigest()[:12]}"
            path.write_bytes(finding.data)
            said = f"{finding.error!r}, see {path}"
        print(f"{name:12} {runs:10} runs, seed {seed}: {said}", flush=True)  # noqa: T201 - the output
    return 1 if broken else 0


def _until(end: float) -> Callable[[], bool]:
    return lambda: time.monotonic() < end


if __name__ == "__main__":
    sys.exit(main())
