import socket
import time

sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for number in range(1, 20):
    sender.sendto(str(number).encode(), ("127.0.0.1", 5006))
    time.sleep(0.02)
