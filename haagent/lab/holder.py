"""IO shell: the process that holds one host's network namespace and clears it away when the laboratory ends.

It says `ready` when it is in its new namespace, and waits for the end of its input. That end comes also when
the laboratory is killed: then whatever still runs in the namespace is killed, so that nothing is left behind.
"""

import os
import signal
import sys

from haagent.lab import kernel


def main() -> None:
    """Hold a new network namespace until standard input ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    kernel.unshare(kernel.CLONE_NEWNET)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.read()
    sweep()


def sweep() -> None:
    """Kill every other process in this namespace; a second look catches what was just being started."""
    own = kernel.net_namespace("self")
    for _ in range(3):
        others = [pid for pid in kernel.processes_in(own) if pid != os.getpid()] if own else []
        for pid in others:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if not others:
            return


if __name__ == "__main__":
    main()
