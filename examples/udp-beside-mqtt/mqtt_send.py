import time

from new_client import new_client

acknowledged = []
client = new_client("sender", 1884)
client.on_publish = lambda client, userdata, mid: acknowledged.append(mid)
client.loop_start()
for number in range(1, 20):
    client.publish("numbers", number, qos=1)
    time.sleep(0.02)
while len(acknowledged) < 19:
    time.sleep(0.1)
client.disconnect()
