#!/bin/bash
# run.sh install: the service is installed, and the machine ends. run.sh: the machine has started with it.
set -eu
if [ "${1:-}" = install ]; then
  mkdir -p /srv/house/config
  cp /job/job/boot.yaml /srv/house/config/damselfly.yaml
  printf 'MQTT_USERNAME=house\nMQTT_PASSWORD=beside-the-lake\n' >/srv/house/.env
  bash /job/service-up.sh /srv/house >/dev/null
  cp /job/job/chip.service /etc/systemd/system/
  systemctl enable -q chip
  systemctl stop damselfly
  exit 0
fi
exec node /job/job/boot.mjs
