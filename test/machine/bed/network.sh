#!/bin/bash
# network.sh COMMAND…: runs it with the machine's network, 10.77.0.0/24, of which it is the host 10.77.0.1. To be called in
# a network namespace of its own, which takes the network away when it ends.
set -e
ip link set lo up
ip tuntap add tap0 mode tap
ip address add 10.77.0.1/24 dev tap0
ip link set tap0 up
exec "$@"
