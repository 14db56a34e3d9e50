#!/bin/sh
# tzdata 2025.3 and 2026.6 on PyPI (2025c and 2026f): what tells that a zone shows other clocks. America/Havana ends in
# the same rule for later years in both, and noon of December 2026 is another; Europe/Dublin has other bytes, and each
# hour of 2026 to 2036 is the same. So neither the bytes nor the rule at a file's end says who moves: the clocks do.
# Succeeds while both hold, fails once they have changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for version in 2025.3 2026.6; do
    python3 -m pip install --quiet --root-user-action=ignore --disable-pip-version-check --no-deps --target "$folder/$version" "tzdata==$version"
done
python3 - "$folder" <<'PY'
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from zoneinfo import ZoneInfo

FOLDER = Path(sys.argv[1])


def read(version, name):
    path = FOLDER / version / "tzdata" / "zoneinfo" / name
    with path.open("rb") as source:
        return path.read_bytes(), ZoneInfo.from_file(source, key=name)


def footer(body):
    return body.rstrip(b"\n").rpartition(b"\n")[2]


def shows(zone, years):
    at, hour = datetime(2026, 1, 1, tzinfo=timezone.utc), timedelta(hours=1)
    return [(at + n * hour).astimezone(zone).utcoffset() for n in range(24 * 365 * years)]


old, before = read("2025.3", "America/Havana")
new, after = read("2026.6", "America/Havana")
assert footer(old) == footer(new), "the rule at the end tells now"
assert shows(before, 1) != shows(after, 1), "Havana did not move"
old, before = read("2025.3", "Europe/Dublin")
new, after = read("2026.6", "Europe/Dublin")
assert old != new, "Dublin has the same bytes"
assert shows(before, 10) == shows(after, 10), "Dublin moved"
PY
