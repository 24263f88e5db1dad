#!/bin/bash
# Makes a house of mosquitto's on the first boot, and goes on with the part that it is the time of on each boot.
set -eu
cd /job
ip link set dummy0 up multicast on 2> /dev/null || { ip link add dummy0 type dummy; ip link set dummy0 up multicast on; }
ip address add 10.77.0.5/24 dev dummy0
mkdir -p /var/lib/move
if [ ! -e /var/lib/move/part ]; then
  etc=/etc/mosquitto
  cp job/etc/acl $etc/acl
  cp job/etc/conf.d/*.conf $etc/conf.d/
  for user in owner lamp panel esp; do
    mosquitto_passwd $([ -e $etc/passwd ] || echo -c) -b $etc/passwd $user "$user's secret"
  done
  chown mosquitto:mosquitto $etc/passwd $etc/acl && chmod 600 $etc/passwd $etc/acl
  bash job/certificates.sh
  cp job/etc/far.conf job/etc/thief.conf /etc/ && cp job/etc/*.service /etc/systemd/system/
  mkdir -p /etc/systemd/system/mosquitto.service.d
  cp job/etc/low-port.conf /etc/systemd/system/mosquitto.service.d/
  useradd --create-home pi
  cp -a /job/global/. /usr/local/
  systemctl daemon-reload
  systemctl enable --quiet --now far
  systemctl enable --quiet mosquitto # as Debian does it; the machine comes without
  systemctl restart mosquitto
  echo before > /var/lib/move/part
fi
exec node job/move.mjs
