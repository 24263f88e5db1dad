#!/bin/bash
# lay-out.sh: puts the package where a Debian package would.
set -eu
mkdir -p /usr/lib/damselfly /root
cd /job
cp -rl .env.example config dist node_modules package.json systemd /usr/lib/damselfly/
ln -sf /usr/lib/damselfly/dist/main.js /usr/local/bin/damselfly
