# Makes two chips, of which only the second is like a Raspberry Pi's, and runs the tests on them.
set -eu
gpio-sim-up other-chip 8 > /dev/null
PI=$(gpio-sim-up pinctrl-bcm2711 54)
export PI
gpiodetect
cd /job
node --test --test-concurrency=1 --test-reporter=spec job/*.test.mjs
