#!/bin/bash
# Lays out the service before there is a chip; after the machine's own reboot it goes on.
set -eu
cd /job
if [ ! -e /var/lib/pins ]; then
  cp -r job/units/. /etc/systemd/system/
  mkdir -p /var/lib/pins /usr/local/lib/pins /srv/house/config
  cp job/chip.sh job/edges.py /usr/local/lib/pins/
  bash lay-out.sh
  cp -r job/actions /srv/house/config/
  cp job/pins.yaml /srv/house/config/damselfly.yaml
  echo 'BIND=loopback' > /srv/house/.env
  chmod 0600 /srv/house/.env
  systemctl daemon-reload
fi
exec node job/pins.mjs "$@"
