import paho.mqtt.client as mqtt


def new_client(name, port):
    if hasattr(mqtt, "CallbackAPIVersion"):  # paho 2
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION1, name)
    else:
        client = mqtt.Client(name)
    client.reconnect_delay_set(1, 5)
    client.connect("127.0.0.1", port, 60)
    return client
