# The lines that stand against what Damselfly drives them to, so that one that nobody drives shows.
chip=$(gpio-sim-up pinctrl-bcm2711 54)
ln -sfn "$chip" /run/chip
for line in 17 22 24 27; do echo pull-up > "$chip/sim_gpio$line/pull"; done
