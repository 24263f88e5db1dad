import sys

from mymqtt import myMQTT

client = myMQTT(sys.argv[1])
client.sendMsg("numbers", list(range(1, 21)))
client.sendMsg("numbers", 42)
client.closeClient()
