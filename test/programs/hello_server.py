"""Prints each message on a topic as one JSON line, as a tutorial's server does: hello_server.py HOST PORT COUNT"""
import json
import sys

import paho.mqtt.client as mqtt

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
seen = 0


def on_connect(client, userdata, flags, rc):
    client.subscribe("test")
    print("Connection OK" if rc == 0 else f"Bad connection returned code={rc}", flush=True)


def on_message(client, userdata, message):
    global seen
    content = json.loads(message.payload.decode("utf-8", "ignore"))
    data = {"topic": message.topic, "content": content, "qos": message.qos, "retain_flag": message.retain}
    print(json.dumps(data), flush=True)
    seen += 1
    if seen == count:
        client.disconnect()


client = mqtt.Client()
client.on_connect = on_connect
client.on_message = on_message
client.connect(host, port, 60)
client.loop_forever()
