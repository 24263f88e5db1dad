# hog.py PROCESSES: takes memory until it is ended; with several processes each of them is smaller than a daemon.
import os
import sys
import time

count = int(sys.argv[1])
for _ in range(count - 1):
    if os.fork() == 0:
        break
held = []
while count == 1 or len(held) < 24:
    held.append(bytearray(b'x' * 1_048_576))
time.sleep(60)
