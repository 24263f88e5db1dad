import socket

receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
receiver.bind(("127.0.0.1", 5005))
print("UDP: waiting", flush=True)
numbers = []
while not numbers or numbers[-1] != 19:
    numbers.append(int(receiver.recv(64)))
print("UDP:", len(numbers), "of 19", numbers)
