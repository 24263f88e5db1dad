"""Publishes a JSON object again and again, as a tutorial's client does: hello_client.py HOST PORT COUNT INTERVAL"""
import json
import socket
import sys
import time
from datetime import datetime

import paho.mqtt.client as mqtt

host, port, count, interval = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])


def get_ip():
    probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        probe.connect((host, 80))
        return socket.gethostname(), probe.getsockname()[0]
    finally:
        probe.close()


# paho 2 takes this call too, with a warning
client = mqtt.Client()
client.connect(host, port, 60)
for turn in range(count):
    data = {
        "time": datetime.now().strftime("%d/%m/%Y %H:%M:%S"),
        "client": get_ip()[0],
        "client_ip": get_ip()[1],
        "msg": "Hello",
    }
    client.publish("test", json.dumps(data))
    print("Msg has been sent!", flush=True)
    time.sleep(interval)
client.disconnect()
