#!/bin/bash
# Puts the package where a Debian package would, makes a chip like a Raspberry Pi's, and proves the service.
set -eu
cd /job
bash lay-out.sh
PI=$(gpio-sim-up pinctrl-bcm2711 54)
export PI
exec node job/house.mjs
