"""What Debian's paho hears from a broker: python3 paho_interop.py PORT VERSION, VERSION 4 or 5. Prints one JSON document."""
import json
import queue
import sys

import paho.mqtt.client as mqtt
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PORT, VERSION = int(sys.argv[1]), int(sys.argv[2])
heard = queue.Queue()


def connect(client_id, clean, will=None):
    if VERSION == 5:
        client = mqtt.Client(client_id, protocol=mqtt.MQTTv5)
    else:
        client = mqtt.Client(client_id, clean_session=clean, protocol=VERSION)
    presents, subacks = queue.Queue(), queue.Queue()
    client.on_connect = lambda _c, _u, flags, *_: presents.put(flags["session present"])
    client.on_subscribe = lambda _c, _u, _mid, granted, *_: subacks.put([int(str(q.value if hasattr(q, "value") else q)) for q in granted])
    client.on_message = lambda _c, _u, message: heard.put(message)
    client.subacks = subacks
    if will is not None:
        client.will_set("paho/will", will, qos=1)
    options = {}
    if VERSION == 5:
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = 0 if clean else 600
        options = {"clean_start": clean, "properties": properties}
    client.connect("127.0.0.1", PORT, 60, **options)
    client.loop_start()
    client.present = presents.get(timeout=5)
    return client


def take(count):
    return [heard.get(timeout=5) for _ in range(count)]


def plain(messages):
    return sorted([m.topic, m.payload.decode(), m.qos, bool(m.retain)] for m in messages)


result = {}
sender, receiver = connect("sender", True), connect("receiver", False)
receiver.subscribe([("paho/a/#", 2), ("paho/will", 1)])
result["granted"] = receiver.subacks.get(timeout=5)
for qos in (0, 1, 2):
    sender.publish(f"paho/a/{qos}", f"hello {qos}", qos=qos).wait_for_publish(5)
result["messages"] = plain(take(3))

large = bytes(range(256)) * 4096
sender.publish("paho/a/large", large, qos=2).wait_for_publish(5)
result["large"] = take(1)[0].payload == large

lost = connect("lost", True, will="gone")
lost._sock.close()  # without DISCONNECT
result["will"] = plain(take(1))

sender.publish("paho/retained", "kept", qos=1, retain=True).wait_for_publish(5)
receiver.subscribe("paho/retained", 1)
result["retained"] = plain(take(1))

receiver.disconnect()
receiver.loop_stop()
for number in range(30):
    sender.publish("paho/a/offline", str(number), qos=2).wait_for_publish(5)
again = connect("receiver", False)
result["present"] = [receiver.present, again.present]
result["offline"] = [int(m.payload) for m in take(30)]

if VERSION == 5:
    properties = Properties(PacketTypes.PUBLISH)
    properties.UserProperty = [("k", "v"), ("k", "w")]
    properties.ResponseTopic = "paho/answer"
    properties.CorrelationData = b"\x00\x01"
    properties.ContentType = "text/plain"
    properties.PayloadFormatIndicator = 1
    properties.MessageExpiryInterval = 100
    sender.publish("paho/a/properties", "x", qos=1, properties=properties).wait_for_publish(5)
    got = take(1)[0].properties
    result["properties"] = [got.UserProperty, got.ResponseTopic, got.CorrelationData.hex(), got.ContentType,
                            got.PayloadFormatIndicator, 98 <= got.MessageExpiryInterval <= 100]

for client in (sender, again):
    client.disconnect()
    client.loop_stop()
print(json.dumps(result))
