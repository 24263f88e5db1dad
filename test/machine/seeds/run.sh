#!/bin/bash
# Runs the Python programs of test/programs, with this system's paho, against the daemon.
set -eu
cd /job
mkdir -p /srv/seeds/config
cp job/seeds.yaml /srv/seeds/config/damselfly.yaml
printf 'BIND=loopback\nGPIO_CHIP=simulated\nNAME=seeds\n' > /srv/seeds/.env
exec node job/seeds.mjs
