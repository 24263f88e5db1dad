from new_client import new_client

numbers = []


def on_message(client, userdata, message):
    number = int(message.payload)
    if number not in numbers:  # QoS 1: once at least
        numbers.append(number)
    if number == 19:
        print("MQTT:", len(numbers), "of 19", numbers)
        client.disconnect()


client = new_client("receiver", 1883)
client.on_message = on_message
client.on_subscribe = lambda *_: print("MQTT: waiting", flush=True)
client.subscribe("numbers", 1)
client.loop_forever()
