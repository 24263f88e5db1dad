"""A client of paho: reads with a persistent session, publishes numbers, and says on its output what came of it.

paho-client.py PORT FILTER TOPIC: `got TOPIC NUMBER`, `sent NUMBER`, `acked NUMBER`; ends with its standard input.
"""

import sys
import threading
import time

import paho.mqtt.client as mqtt

port, wanted, topic = int(sys.argv[1]), sys.argv[2], sys.argv[3]
under_way = {}
lock = threading.Lock()


def say(*words):
    with lock:
        print(*words, flush=True)


def on_connect(client, userdata, flags, rc, properties=None):
    client.subscribe(wanted, 2)


def on_subscribe(*rest):
    say("ready")


def on_message(client, userdata, message):
    say("got", message.topic, message.payload.decode("utf-8").split(" ", 1)[0])


def on_publish(client, userdata, mid, *rest):
    number = under_way.pop(mid, None)
    if number is not None:
        say("acked", number)


if hasattr(mqtt, "CallbackAPIVersion"):  # paho 2
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, client_id="guest-paho", clean_session=False)
else:
    client = mqtt.Client(client_id="guest-paho", clean_session=False)
client.on_connect = on_connect
client.on_subscribe = on_subscribe
client.on_message = on_message
client.on_publish = on_publish
client.reconnect_delay_set(1, 2)
client.connect("127.0.0.1", port, 60)
client.loop_start()
for line in sys.stdin:
    number = line.strip()
    with lock:
        mid = client.publish(topic, number, 1).mid
        under_way[mid] = number
client.disconnect()
time.sleep(0.2)
client.loop_stop()
