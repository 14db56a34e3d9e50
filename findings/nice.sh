#!/bin/sh
# coreutils 9.1, nice: where the kernel refuses the niceness, it says so and runs the program all the same, with the
# old one, and ends as the program does. Whoever asked for -5 is told of nothing.
# Why it matters: a task that asks for less niceness than its agent may give would run without it in silence:
# agent/spool/starting.py looks first and refuses.
# Succeeds while that holds, fails once it has changed. Needs setpriv where it is run as root.
set -eu
nice --version | head -n 1 | grep -q coreutils
try='nice -n -5 sh -c "nice; exit 7"'
if [ "$(id -u)" = 0 ]; then
    try="setpriv --reuid=65534 --regid=65534 --clear-groups $try"
fi
ended=0
told=$(sh -c "$try" 2>/dev/null) || ended=$?
echo "niceness $told, ended with $ended"
[ "$ended" = 7 ] && [ "$told" = "$(nice)" ]
