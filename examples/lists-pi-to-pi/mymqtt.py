"""Lists of whole numbers from one machine to another, with paho: one message for each number."""

import os
import queue
import sys
import threading

import paho.mqtt.client as mqtt


class myMQTT:
    def __init__(self, broker_address, client_name=""):
        self.queues = {}
        self.connected = threading.Event()
        self.subscribed = threading.Event()
        if hasattr(mqtt, "CallbackAPIVersion"):  # paho 2
            self.client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, client_name)
        else:
            self.client = mqtt.Client(client_name)
        if "MQTT_USERNAME" in os.environ:
            self.client.username_pw_set(os.environ["MQTT_USERNAME"], os.environ["MQTT_PASSWORD"])
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.on_subscribe = lambda *_: self.subscribed.set()
        print("Connecting...", flush=True)
        self.client.connect(broker_address, 1883, 60)
        self.client.loop_start()
        if not self.connected.wait(10):
            sys.exit("no answer from " + broker_address)
        print("Connected Successfully", flush=True)

    def sendMsg(self, topic, data):
        numbers = [data] if isinstance(data, int) else data
        for number in numbers:
            self.last = self.client.publish(topic, str(number), qos=1)

    def registerTopic(self, topic):
        self.queues.setdefault(topic, queue.Queue())  # first: what comes at once must find it
        self.subscribed.clear()
        self.client.subscribe(topic, 1)
        self.subscribed.wait(10)

    def readTopicData(self, topic):
        return [self.queues[topic].get() for _ in range(self.checkTopicDataLength(topic))]

    def checkTopicDataLength(self, topic):
        return self.queues[topic].qsize()

    def closeClient(self):
        if hasattr(self, "last"):
            self.last.wait_for_publish(5)  # or the program ends before its numbers have left
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, client, userdata, flags, rc):
        if rc != 0:
            print("refused:", mqtt.connack_string(rc), flush=True)
            os._exit(1)
        for topic in self.queues:  # after a loss
            client.subscribe(topic, 1)
        self.connected.set()

    def _on_message(self, client, userdata, message):
        self.queues[message.topic].put(int(message.payload))
