"""Says hello to a broker every five seconds, as a program on another machine does it with paho."""

import json
import socket
import sys
import time
from datetime import datetime

import paho.mqtt.client as mqtt

broker = sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1"

if hasattr(mqtt, "CallbackAPIVersion"):  # paho 2
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1)
else:
    client = mqtt.Client()
client.connect(broker, 1883, 60)
client.loop_start()
while True:
    data = {
        "time": datetime.now().strftime("%d/%m/%Y %H:%M:%S"),
        "client": socket.gethostname(),
        "msg": "Hello from Python",
    }
    client.publish("test", json.dumps(data))
    print("Msg has been sent!", flush=True)
    time.sleep(5)
