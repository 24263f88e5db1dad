#!/bin/bash
# service-up.sh FOLDER: puts the package where a Debian package would, makes a chip like a Raspberry Pi's, and installs the
# service with the .env and the config/ of that folder. Prints the chip's sysfs folder.
set -eu
bash /job/lay-out.sh
gpio-sim-up pinctrl-bcm2711 54
mkdir -p "$1/config"
chmod 0600 "$1/.env"
cd "$1"
damselfly service install >&2
