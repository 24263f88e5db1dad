import sys
import time

from mymqtt import myMQTT

client = myMQTT(sys.argv[1])
client.registerTopic("numbers")
print("waiting for 21 numbers", flush=True)
while client.checkTopicDataLength("numbers") < 21:
    time.sleep(0.1)
print(client.readTopicData("numbers"))
client.closeClient()
