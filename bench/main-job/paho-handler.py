"""The script beside mosquitto: decodes each message, looks at one field, notes how long it was under way."""

import array
import json
import os
import sys
import time

import paho.mqtt.client as mqtt

noted = array.array("d", bytes(8 * 100_000))
count = 0


def on_connect(client, userdata, flags, rc):
    client.subscribe([("bench/in", 1), ("bench/report", 0)])


def on_subscribe(client, userdata, mid, granted_qos):
    print("ready", flush=True)


def on_message(client, userdata, message):
    global count
    content = json.loads(message.payload.decode("utf-8"))
    if content["msg"] == "ON":
        noted[count] = time.monotonic_ns() - content["t"]
        count += 1


def on_report(client, userdata, message):
    global count
    path = message.payload.decode("utf-8")
    with open(path + ".part", "wb") as file:
        noted[:count].tofile(file)
    os.rename(path + ".part", path)
    count = 0


if hasattr(mqtt, "CallbackAPIVersion"):  # paho 2
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1)
else:
    client = mqtt.Client()
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.message_callback_add("bench/report", on_report)
client.connect("127.0.0.1", int(sys.argv[1]), 60)
client.loop_forever()
