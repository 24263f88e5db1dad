#!/bin/bash
set -eu
mkdir -p /srv/house/config
cp /job/job/watchdog.yaml /srv/house/config/damselfly.yaml
: >/srv/house/.env
PI=$(bash /job/service-up.sh /srv/house | tail -1)
export PI
exec node /job/job/watchdog.mjs "$@"
