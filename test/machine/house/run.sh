#!/bin/bash
# Puts the package where a Debian package would, makes a chip like a Raspberry Pi's, and proves the service.
set -eu
cd /job
mkdir -p /usr/lib/damselfly /root
cp -r .env.example config dist node_modules package.json systemd /usr/lib/damselfly/
ln -s /usr/lib/damselfly/dist/main.js /usr/local/bin/damselfly
PI=$(gpio-sim-up pinctrl-bcm2711 54)
export PI
exec node job/house.mjs
