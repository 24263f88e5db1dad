#!/bin/bash
set -eu
mkdir -p /srv/house/config
cp /job/job/hardening.yaml /srv/house/config/damselfly.yaml
printf 'MQTT_USERNAME=house\nMQTT_PASSWORD=a-word-of-the-file\n' >/srv/house/.env
bash /job/service-up.sh /srv/house
exec node /job/job/hardening.mjs "$@"
