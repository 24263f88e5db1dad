#!/usr/bin/python3
"""keep.py PID: takes a copy of each line that a process holds, so that the kernel drives them on when the process frees
them, as a Raspberry Pi's kernel does. Ends, and lets them go, when its standard input ends."""
import ctypes
import os
import sys

PIDFD_GETFD = 438
libc = ctypes.CDLL(None, use_errno=True)
pid = int(sys.argv[1])
pidfd = os.pidfd_open(pid)
lines = [int(fd) for fd in os.listdir(f"/proc/{pid}/fd") if "gpio-line" in os.readlink(f"/proc/{pid}/fd/{fd}")]
for fd in lines:
    if libc.syscall(PIDFD_GETFD, pidfd, fd, 0) < 0:
        sys.exit(os.strerror(ctypes.get_errno()))
print(f"keeps {len(lines)} lines", flush=True)
sys.stdin.read()
