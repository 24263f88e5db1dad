#!/bin/bash
# Installs, upgrades, removes and purges the package, and compares it with what npm's makes. It changes the machine.
set -eu
PI=$(gpio-sim-up pinctrl-bcm2711 54)
export PI
export DEBIAN_FRONTEND=noninteractive
exec node /job/job/life.mjs
