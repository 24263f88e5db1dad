"""A sensor: publishes sensor_data/NAME, and obeys config_change."""

import json
import math
import sys
import threading
import time

import paho.mqtt.client as mqtt

name = sys.argv[1]
broker = sys.argv[2] if len(sys.argv) > 2 else "127.0.0.1"
seconds = 60
changed = threading.Event()


def on_connect(client, userdata, flags, rc):
    client.subscribe("config_change")


def on_message(client, userdata, message):
    global seconds
    seconds = json.loads(message.payload)["seconds"]
    print(f"{name}: every {seconds} s from now on", flush=True)
    changed.set()


def celsius():
    return round(21 + 3 * math.sin(time.time() / 600), 1)  # put your sensor here


if hasattr(mqtt, "CallbackAPIVersion"):  # paho 2
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1)
else:
    client = mqtt.Client()
client.on_connect = on_connect
client.on_message = on_message
client.connect(broker, 1883, 60)
client.loop_start()
print(f"{name}: every {seconds} s", flush=True)
while True:
    client.publish("sensor_data/" + name, json.dumps({"celsius": celsius()}))
    changed.wait(seconds)
    changed.clear()
