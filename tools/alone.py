"""Run a command as the only one of its kind in this checkout: alone.py COMMAND …

A second one says that it waits, and starts when the first has ended, with everything that it has started. The lock is
the system's: it ends with its processes, however they end. A command that runs inside another one need not wait for it.
Python's standard library is all that this needs: it is there before anything has been installed.
"""

import fcntl
import os
import signal
import sys
from pathlib import Path

LOCK = Path(__file__).resolve().parents[1] / "build" / "lock"
VARIABLE = "SHARED_WEIGHTS_LOCK"  # the number of the open lock file, for the commands that run inside


def is_held():
    """Whether this process has inherited the lock of this checkout."""
    try:
        held = os.fstat(int(os.environ[VARIABLE]))
        return os.path.samestat(held, LOCK.stat())
    except (KeyError, ValueError, OSError):
        return False


def take():
    """Wait for the lock, and keep it open for the command that this process becomes."""
    LOCK.parent.mkdir(exist_ok=True)
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        who = os.pread(lock, 20, 0).decode() or "another process"
        print(f"Waiting for {who}, which works in this folder too", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    os.truncate(lock, 0)
    os.pwrite(lock, f"process {os.getpid()}".encode(), 0)
    os.set_inheritable(lock, True)
    os.environ[VARIABLE] = str(lock)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # while it waits, Ctrl-C is no error of this file
    if not is_held():
        take()
    os.execvp(sys.argv[1], sys.argv[1:])
