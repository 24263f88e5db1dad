#!/bin/bash
# The first boot: one disk with a journal for what the service keeps, one for its configuration, and the service, enabled.
#   install.sh DURABILITY
set -eu
cd /job
mkdir -p /root /usr/lib/damselfly /var/lib/damselfly /etc/damselfly
for disk in /dev/ubdb /dev/ubdc; do mkfs.ext4 -q "$disk"; done
cat >>/etc/fstab <<TABLE
/dev/ubdb /var/lib/damselfly ext4 noatime 0 2
/dev/ubdc /etc/damselfly ext4 noatime 0 2
TABLE
cat >/etc/systemd/system/net.service <<UNIT
[Unit]
Description=the network of the test
Wants=network.target
Before=network.target
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/net-up
[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
mount -a
systemctl --quiet enable --now net.service
cp -r .env.example config dist node_modules package.json systemd /usr/lib/damselfly/
ln -s /usr/lib/damselfly/dist/main.js /usr/local/bin/damselfly
damselfly service install
cat >>/etc/damselfly/.env <<KEYS
BIND=all
ALLOW_ANONYMOUS=true
GPIO_CHIP=simulated
DURABILITY=$1
MAX_QUEUED_MESSAGES=1000000
MAX_QUEUED_BYTES=64MiB
CONNECT_TIMEOUT=60s
KEYS
cp job/damselfly.yaml /etc/damselfly/
systemctl restart damselfly
systemctl is-enabled damselfly
systemctl stop damselfly
umount /var/lib/damselfly /etc/damselfly
