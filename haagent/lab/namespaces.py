"""IO shell: hosts as network namespaces, as root or inside an unprivileged user namespace."""

import ctypes.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from haagent.lab import kernel
from haagent.lab.errors import LabError


class Host:
    """One host of the laboratory: a network namespace, held by a process of its own."""

    def __init__(self, name: str) -> None:
        self.name = name
        # The holder must not get our Ctrl-C (hence the session); it ends when its input does.
        self._holder = subprocess.Popen(
            [sys.executable, "-m", "haagent.lab.holder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=_environment(),
        )
        self._fd = -1
        self._inode = 0

    @property
    def pid(self) -> int:
        """The holder, which never leaves the namespace."""
        return self._holder.pid

    def wait_ready(self) -> None:
        """Wait until the namespace exists."""
        assert self._holder.stdout is not None
        assert self._holder.stderr is not None
        if self._holder.stdout.readline() != b"ready\n":
            reason = self._holder.stderr.read().decode(errors="replace").strip().rpartition("\n")[2]
            raise LabError(f"no network namespace for host {self.name}: {reason}")
        self._fd = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._inode = os.fstat(self._fd).st_ino

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Put the calling thread, and what it forks or opens meanwhile, into this host."""
        back = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            kernel.setns(self._fd, kernel.CLONE_NEWNET)
            try:
                yield
            finally:
                kernel.setns(back, kernel.CLONE_NEWNET)
        finally:
            os.close(back)

    def spawn(
        self,
        argv: Sequence[str],
        *,
        stdin: int | IO[bytes] = subprocess.DEVNULL,
        stdout: int | IO[bytes] = subprocess.DEVNULL,
        stderr: int | IO[bytes] = subprocess.DEVNULL,
        pass_fds: Sequence[int] = (),
    ) -> subprocess.Popen[bytes]:
        """Start a program on this host, in a session of its own."""
        with self.entered():
            return subprocess.Popen(
                argv,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=pass_fds,
                start_new_session=True,
                env=_environment(),
            )

    def processes(self) -> list[int]:
        """The processes that run on this host, without the holder."""
        return [pid for pid in kernel.processes_in(self._inode) if pid != self.pid]

    def close(self) -> None:
        """End every process of the host, and with the last one the namespace."""
        if self._holder.stdin is not None:
            self._holder.stdin.close()
        try:
            self._holder.wait(5)
        except subprocess.TimeoutExpired:
            self._holder.kill()
            self._holder.wait(5)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def become_root() -> None:
    """Get the privileges that namespaces need: those we have, else those of a user namespace of our own.

    Call it before any thread is started: unshare(2) refuses CLONE_NEWUSER to a process with threads.
    """
    if kernel.capable(kernel.CAP_SYS_ADMIN, kernel.CAP_NET_ADMIN):
        return
    uid, gid = os.getuid(), os.getgid()
    try:
        kernel.unshare(kernel.CLONE_NEWUSER)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")
        # A network namespace that belongs to the new user namespace, so that there is one to come back to.
        kernel.unshare(kernel.CLONE_NEWNET)
    except OSError as error:
        raise LabError(
            f"unprivileged user namespaces are not allowed here ({error.strerror}): run it with sudo"
        ) from error


def join(pid: int, host_pid: int) -> None:
    """Move this process into the user namespace of `pid`, if another, and the network of `host_pid`."""
    user = f"/proc/{pid}/ns/user"
    network = os.open(f"/proc/{host_pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    if os.stat(user).st_ino != os.stat("/proc/self/ns/user").st_ino:
        fd = os.open(user, os.O_RDONLY | os.O_CLOEXEC)
        kernel.setns(fd, kernel.CLONE_NEWUSER)
        os.close(fd)
    kernel.setns(network, kernel.CLONE_NEWNET)
    os.close(network)


def require_nftables() -> None:
    """Make sure that libnftables is here: installed when that is ours to do, else the command is named."""
    if ctypes.util.find_library("nftables") or _loadable("libnftables.so.1"):
        return
    command = ["apt-get", "install", "-y", "--no-install-recommends", "nftables"]
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise LabError(f"libnftables.so.1 is missing: run  sudo {' '.join(command)}")
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    update = ["apt-get", "-qq", "update"]
    for step in (update, command):
        result = subprocess.run(step, env=quiet, capture_output=True, timeout=300, check=False)
        if result.returncode != 0 and step is command:
            reason = result.stderr.decode(errors="replace").strip().rpartition("\n")[2]
            raise LabError(f"libnftables.so.1 is missing and {' '.join(command)} failed: {reason}")


def stop(process: subprocess.Popen[bytes], *, grace: float = 3.0) -> None:
    """End a process that we started: SIGTERM, and SIGKILL after `grace` seconds."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(grace)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(OSError):
                pipe.close()


def signal_all(pids: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to each process that still lives."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_gone(host: Host, *, timeout: float = 3.0) -> None:
    """Wait until no process runs on the host."""
    end = time.monotonic() + timeout
    while host.processes() and time.monotonic() < end:
        time.sleep(0.005)


def _environment() -> Mapping[str, str]:
    """Our environment, with this package importable also from a source tree that is not installed."""
    root = str(Path(__file__).parents[2])
    path = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": f"{root}:{path}" if path else root}


def _loadable(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True
