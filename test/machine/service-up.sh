#!/bin/bash
# service-up.sh FOLDER: puts the package where a Debian package would, makes a chip like a Raspberry Pi's, and installs the
# service with the .env and the config/ of that folder. Prints the chip's sysfs folder.
set -eu
cp -rl /job/.env.example /job/config /job/dist /job/node_modules /job/package.json /job/systemd -t "$(mkdir -p /usr/lib/damselfly; echo /usr/lib/damselfly)"
ln -sf /usr/lib/damselfly/dist/main.js /usr/local/bin/damselfly
gpio-sim-up pinctrl-bcm2711 54
mkdir -p /root "$1/config"
chmod 0600 "$1/.env"
cd "$1"
damselfly service install >&2
