#!/usr/bin/python3
"""edges.py LINE...: what the lines of the simulated chip do, as seen by somebody who knows nothing of Damselfly.

It looks at the level of each line every two milliseconds, before whatever else the processor has to do (every ten where
looks take so long that nothing else had time), and asks the kernel to be told who takes and frees a line. Written to
/run/edges and to /dev/ttyS0, which is outside at once; times are milliseconds of the monotonic clock, that is since the boot:
  begin TIME                      levels follow
  level LINE 0|1
  edge AFTER BY LINE 0|1          between the two looks at these times
  both BY LINE LINE               both were high, from one's first look to its second: only of the first two lines
  pause AFTER BY                  longer than usual between two looks
  took|freed|changed TIME LINE    by the kernel's clock
"""
import errno
import fcntl
import glob
import os
import socket
import struct
import sys
import time

EVERY_S = 0.002
SELDOM_S = 0.01
SHARE = 5  # of the time that a look takes
USUAL_MS = 10
WATCH = 0xC100B406  # GPIO_V2_GET_LINEINFO_WATCH_IOCTL
TOLD = {1: "took", 2: "freed", 3: "changed"}
INFO_BYTES, EVENT_BYTES = 256, 288

os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
lines = [int(word) for word in sys.argv[1:]]
[folder] = glob.glob("/sys/devices/platform/gpio-sim.*/gpiochip*/sim_gpio0")
folder = os.path.dirname(folder)
files = [os.open(f"{folder}/sim_gpio{line}/value", os.O_RDONLY) for line in lines]
chip = os.open(f"/dev/{os.path.basename(folder)}", os.O_RDONLY | os.O_NONBLOCK)
outs = [
    os.open("/run/edges", os.O_WRONLY | os.O_CREAT | os.O_APPEND),
    os.open("/dev/ttyS0", os.O_WRONLY | os.O_NOCTTY),
]


def say(text):
    for out in outs:
        os.write(out, text.encode() + b"\n")


def now():
    return time.monotonic() * 1000


def level(file):
    return os.pread(file, 1, 0) == b"1"


def tell_holders():
    try:
        event = os.read(chip, EVENT_BYTES)
    except OSError as error:
        if error.errno != errno.EAGAIN:
            raise
        return
    (offset,) = struct.unpack_from("I", event, 64)
    time_ns, kind = struct.unpack_from("QI", event, INFO_BYTES)
    say(f"{TOLD[kind]} {time_ns / 1e6:.1f} {offset}")


for line in lines:
    info = bytearray(INFO_BYTES)
    struct.pack_into("I", info, 64, line)
    fcntl.ioctl(chip, WATCH, info)
before = [level(file) for file in files]
after = begun = now()
say(f"begin {after:.1f}")
for line, high in zip(lines, before):
    say(f"level {line} {int(high)}")
if "NOTIFY_SOCKET" in os.environ:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.sendto(b"READY=1", os.environ["NOTIFY_SOCKET"])

while True:
    time.sleep(min(max(EVERY_S, SHARE * (now() - begun) / 1000), SELDOM_S))
    begun = now()
    levels = [level(file) for file in files]
    if levels[0] and levels[1] and level(files[0]):
        say(f"both {now():.1f} {lines[0]} {lines[1]}")
    by = now()
    if by - after > USUAL_MS:
        say(f"pause {after:.1f} {by:.1f}")
    if levels != before:
        for line, was, high in zip(lines, before, levels):
            if was != high:
                say(f"edge {after:.1f} {by:.1f} {line} {int(high)}")
        before = levels
    tell_holders()
    after = by
