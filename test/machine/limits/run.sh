#!/bin/bash
set -eu
mkdir -p /srv/house/config
cp /job/job/limits.yaml /srv/house/config/damselfly.yaml
printf 'MAX_CONNECTIONS=100\nHTTP_PORT=9883\n' >/srv/house/.env
PI=$(bash /job/service-up.sh /srv/house | tail -1)
export PI
exec node /job/job/limits.mjs "$@"
