"""A bad network: loses every fourth datagram, and breaks a connection after eight messages, with what is in it."""

import socket
import threading


def lose_datagrams():
    way_in = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    way_in.bind(("127.0.0.1", 5006))
    count = 0
    while True:
        datagram, _ = way_in.recvfrom(2048)
        count += 1
        if count % 4 != 0:
            way_in.sendto(datagram, ("127.0.0.1", 5005))


def break_connections():
    door = socket.create_server(("127.0.0.1", 1884))
    while True:
        client, _ = door.accept()
        broker = socket.create_connection(("127.0.0.1", 1883))
        threading.Thread(target=carry, args=(broker, client), daemon=True).start()
        threading.Thread(target=carry, args=(client, broker, 9), daemon=True).start()


def carry(source, target, packets=None):
    try:
        while (data := source.recv(4096)) and packets != 0:
            target.sendall(data)
            packets = packets and packets - 1
        if data:
            print("broke the connection", flush=True)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


threading.Thread(target=lose_datagrams, daemon=True).start()
print("a bad network is there", flush=True)
break_connections()
