#!/bin/sh
# systemd 252, calendar events: where a step of minutes that begins at 0 does not divide the hour, such as *:0/25, each
# hour begins anew at :00, but the day does not: 00:00 is left out, every day. *:0/20 and *:3/7 are as they should be.
# Why it matters: `cronclave import systemd` says of such a timer that it is due at 00:00 here.
# Succeeds while that holds, fails once it has changed. Needs systemd-analyze.
set -eu
systemctl --version | head -n 1
told=$(systemd-analyze calendar --iterations=8 --base-time="2026-12-24 22:55:00 UTC" "*:0/25 UTC" |
    sed -n 's/.* [0-9-]* \([0-9:]*\) UTC$/\1/p' | tr '\n' ' ')
echo "$told"
[ "$told" = "23:00:00 23:25:00 23:50:00 00:25:00 00:50:00 01:00:00 01:25:00 01:50:00 " ]
