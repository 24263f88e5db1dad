#!/bin/bash
set -eu
mkdir -p /srv/house/config
cp /job/job/journal.yaml /srv/house/config/damselfly.yaml
printf 'MQTT_USERNAME=house\nMQTT_PASSWORD=a-word-of-the-file\nALLOW_ANONYMOUS=false\n' >/srv/house/.env
bash /job/service-up.sh /srv/house >/dev/null
exec node /job/job/journal.mjs "$@"
