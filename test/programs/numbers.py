"""
Lists of numbers by a small class of blocking calls, one message an element:
    numbers.py send HOST PORT TOPIC 1,2,3
    numbers.py receive HOST PORT TOPIC COUNT    prints the list as JSON
"""
import json
import queue
import sys
import time

import paho.mqtt.client as mqtt


class Numbers:
    def __init__(self, host, port):
        self.queues = {}
        self.is_connected = False
        self.client = mqtt.Client()
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.connect(host, port)
        self.client.loop_start()
        while not self.is_connected:
            time.sleep(0.01)

    def _on_connect(self, client, userdata, flags, rc):
        self.is_connected = rc == 0

    def _on_message(self, client, userdata, message):
        self.queues[message.topic].put(int(message.payload.decode()))

    def register(self, topic):
        self.queues[topic] = queue.Queue()
        self.client.subscribe(topic)

    def pending(self, topic):
        return self.queues[topic].qsize()

    def read(self, topic):
        return [self.queues[topic].get() for _ in range(self.pending(topic))]

    def send(self, topic, numbers):
        sent = [self.client.publish(topic, str(number)) for number in numbers]
        for one in sent:
            one.wait_for_publish()

    def close(self):
        self.client.disconnect()
        self.client.loop_stop()


command, host, port, topic, rest = sys.argv[1:6]
numbers = Numbers(host, int(port))
if command == "send":
    numbers.send(topic, [int(word) for word in rest.split(",")])
else:
    numbers.register(topic)
    print("ready", flush=True)
    received = []
    while len(received) < int(rest):
        received += numbers.read(topic)
        time.sleep(0.01)
    print(json.dumps(received), flush=True)
numbers.close()
