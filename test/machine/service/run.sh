#!/bin/bash
# Runs inside the throw-away machine: see README.md
set -u
failures=0
expect() { # WHAT FOUND PATTERN
  if [[ $2 =~ $3 ]]; then echo "ok      $1"; else echo "NOT OK  $1: found \"$2\", expected $3"; failures=$((failures + 1)); fi
}
show() { systemctl show damselfly --property="$1" --value; }
until_is() { # PROPERTY PATTERN SECONDS
  for _ in $(seq $(($3 * 10))); do [[ $(show "$1") =~ $2 ]] && break; sleep .1; done; show "$1"
}

home=/usr/local/lib/node_modules/damselfly
mkdir -p "$(dirname $home)" /root /home/ada; cp -r /job/package /home/ada/copy; cp -r /job/package $home
echo secret > /root/secret
command=(node $home/dist/main.js)

expect 'code under /home is refused' "$(node /home/ada/copy/dist/main.js service install 2>&1)" 'SERVICE_REFUSED: Damselfly is at /home/ada/copy.*cannot see /home'
expect 'and nothing was changed' "$(ls -d /etc/damselfly 2>&1)" 'No such'
expect 'status before install' "$("${command[@]}" service status)" 'not installed'

"${command[@]}" service install || { echo 'NOT OK  install'; exit 1; }
expect 'it runs' "$(show ActiveState),$(show SubState),$(show User)" '^active,running,damselfly$'
expect 'STATUS arrived' "$(show StatusText)" 'listening on 127.0.0.1:1883'
expect '.env' "$(stat -c '%a %U:%G' /etc/damselfly/.env)" '^640 root:damselfly$'
expect 'enabled' "$(systemctl is-enabled damselfly)" '^enabled$'
"${command[@]}" service status; expect 'status exits with 0' $? '^0$'
systemd-analyze verify --recursive-errors=no /etc/systemd/system/damselfly.service; expect 'verify is clean' $? '^0$'
systemd-analyze security --offline=true --threshold=20 --no-pager /etc/systemd/system/damselfly.service | tail -1
expect 'security is at most 2.0' "${PIPESTATUS[0]}" '^0$'

tried=$(cat /var/lib/damselfly/tried.json); echo "$tried"
expect 'libsql works' "$tried" '"libsql":1'
expect 'classic-level works' "$tried" '"level":"b"'
expect 'a program works' "$tried" '"exec":"damselfly"'
expect 'a shell and a private /tmp work' "$tried" '"shell":"x"'
expect 'ip works' "$tried" '"ipProgram":true'
expect '/proc/meminfo can be read' "$tried" '"procfs":true'
expect '/etc cannot be written' "$tried" '"writeEtc":"refused'
expect 'homes cannot be seen' "$tried" '"seeHome":"refused'
expect 'no one becomes root' "$tried" '"privileges":"1"'
expect 'file descriptors' "$tried" '"files":"8192"'

pid=$(show MainPID)
systemctl reload damselfly; expect 'reload' "$(until_is StatusText reloaded 5)" '^reloaded$'
expect 'the same process' "$(show MainPID)" "^$pid$"
"${command[@]}" service install > /job/second; expect 'a second install keeps .env' "$(cat /job/second)" 'kept /etc/damselfly/.env'

kill -9 "$(show MainPID)"; expect 'restart after kill -9' "$(until_is NRestarts '^1$' 10)" '^1$'
expect 'running again' "$(until_is ActiveState '^active$' 10)" '^active$'
expect 'safe ran after the crash' "$(tail -1 /var/lib/damselfly/safe)" '^signal$'

mkdir -p /etc/systemd/system/damselfly.service.d
printf '[Service]\nWatchdogSec=2\n' > /etc/systemd/system/damselfly.service.d/proof.conf
systemctl daemon-reload; systemctl restart damselfly
sleep 4.5; expect 'a process that lives is not restarted' "$(show NRestarts)" '^0$'
kill -STOP "$(show MainPID)"; expect 'a process that hangs is restarted' "$(until_is NRestarts '^1$' 15)" '^1$'
expect 'because of the watchdog' "$(tail -1 /var/lib/damselfly/safe)" '^watchdog$'
until_is ActiveState '^active$' 10 > /job/active

echo WRONG >> /etc/damselfly/.env; systemctl restart damselfly 2> /job/failed
sleep 2.5; expect 'a wrong configuration is not tried for ever' "$(show ActiveState),$(show NRestarts)" '^failed,0$'
"${command[@]}" service status; expect 'status exits with 3' $? '^3$'

"${command[@]}" service uninstall; expect 'uninstall exits with 0' $? '^0$'
expect 'the unit is gone' "$(ls /etc/systemd/system/damselfly.service 2>&1)" 'No such'
expect 'the configuration is kept' "$(ls -A /etc/damselfly | tr '\n' ' ')" '^.env actions damselfly.schema.json damselfly.yaml $'
echo "$failures failures"
[ $failures = 0 ]
