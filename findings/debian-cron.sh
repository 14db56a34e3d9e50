#!/bin/sh
# Debian's cron 3.0pl1-162 (bookworm), by its own dry run (`crontab -n`): one line that it cannot read refuses the whole
# file, and what it can read is more and less than one thinks.
# - refused: NAME= without a value, anything behind a quoted value (a comment, say), `5/20`, `@DAILY`, `sunday`, a file
#   without a line feed at its end, an empty line of a carriage return alone;
# - installed: `1#5` and `4.30` (it drops what belongs to nothing), `22-4` (which then never fires), `*/100`, a line
#   without a command, a month's 31st of February, a % with nothing behind it, bytes of Latin-1.
# Why it matters: `cronclave import crontab` says of each line what it did; tests/cli/crontabs holds what ran when.
# Succeeds while all of it holds, fails once it has changed. Debian with apt; nothing is installed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
chmod 755 "$folder"
cd "$folder"
apt-get -qq download cron=3.0pl1-162 2> said || { echo "this archive has no cron 3.0pl1-162"; exit 1; }
dpkg -x cron_*.deb .
failed=0
expect() { # yes or no, then the file as printf's format
    printf -- "$2" > file
    if said=$(usr/bin/crontab -n file 2>&1); then got=yes; else got=no; fi
    printf '%-4s%-34s%s\n' "$got" "$2" "$(echo "$said" | head -1)"
    test "$got" = "$1" || { echo "  expected: $1"; failed=1; }
}
expect yes '5 0 * * * x\n'
expect no 'MAILTO=\n'
expect yes 'MAILTO=""\n'
expect no 'A="b" # c\n'
expect yes 'A=b # c\n'
expect no '5/20 * * * * x\n'
expect yes '5-59/20 * * * * x\n'
expect no '@DAILY x\n'
expect yes '@daily x\n'
expect no '5 0 * * sunday x\n'
expect yes '5 0 * * SUN x\n'
expect no '5 0 * * * x'
expect no '5 0 * * * x\r\n\r\n'
expect yes '5 0 * * * x\r\n'
expect yes '0 0 * * 1#5 x\n'
expect yes '0 4.30 * * * x\n'
expect yes '0 22-4 * * * x\n'
expect yes '*/100 * * * * x\n'
expect yes '5 0 * * *\n'
expect yes '5 0 31 2 * x\n'
expect yes '5 0 * * * wc -c%%\n'
expect yes '5 0 * * * caf\351\n'
exit $failed
