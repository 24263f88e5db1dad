"""Subscribes over a WebSocket and prints what comes, as `TOPIC PAYLOAD`: listen.py HOST PORT CLIENT USER PASSWORD FILTER…"""
import sys

import paho.mqtt.client as mqtt

host, port, name, user, password = sys.argv[1], int(sys.argv[2]), *sys.argv[3:6]


def on_connect(client, _data, _flags, reason, _properties):
    print("connected" if reason == 0 else f"refused {reason}", flush=True)
    client.subscribe([(topic_filter, 1) for topic_filter in sys.argv[6:]])


def on_message(_client, _data, message):
    print(message.topic, message.payload.decode(), flush=True)


client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, transport="websockets")
client.username_pw_set(user, password)
client.reconnect_delay_set(1, 2)
client.on_connect = on_connect
client.on_message = on_message
client.connect(host, port, 30)
client.loop_forever()
