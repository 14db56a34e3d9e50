#!/bin/sh
# croniter 7.0.0 and cronsim 2.8, each right by its own words, and not what a crontab means:
# - croniter reads `5-5` as the whole field, cronsim `5-5/2` as `5/2`: a range of one value is asked of neither;
# - croniter joins `*/2` beside a day of the week by OR, where cron and cronsim want both;
# - croniter's `31W` is the working day nearest to the month's last day, whatever its number: `LW` is asked that way;
# - croniter's `L5` is the last Friday, and `5L`, Quartz's word for it, is refused; cronsim takes `5L`.
# Why it matters: croniter decides L, W and # here, for one month, and both are oracles of the tests.
# Succeeds while all of it holds, fails once it has changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check "croniter==7.0.0" "cronsim==2.8"
"$folder/venv/bin/python" - <<'PY'
from datetime import datetime
from itertools import islice

from croniter import croniter
from cronsim import CronSim

START = datetime(2026, 3, 31, 23, 59)  # April has 30 days, the 30th is a Thursday; the 31st of May is a Sunday


def of_croniter(text, count=4, start=START):
    instants = croniter(text, start, ret_type=datetime)
    return [f"{instants.get_next():%d.%m. %H:%M}" for _ in range(count)]


def of_cronsim(text, count=4, start=START):
    return [f"{instant:%d.%m. %H:%M}" for instant in islice(CronSim(text, start), count)]


def refused(text):
    try:
        of_croniter(text)
    except ValueError as error:
        return str(error)


seen = {
    "croniter 5-5": of_croniter("5-5 * * * *"),
    "cronsim 5-5": of_cronsim("5-5 * * * *"),
    "cronsim 5-5/2": of_cronsim("5-5/2 * * * *"),
    "croniter */2 Mon": of_croniter("0 0 */2 * 1"),
    "cronsim */2 Mon": of_cronsim("0 0 */2 * 1"),
    "croniter 31W": of_croniter("0 0 31W * *"),
    "croniter L5": of_croniter("0 0 * * L5", 2),
    "cronsim 5L": of_cronsim("0 0 * * 5L", 2),
    "croniter 5L": refused("0 0 * * 5L"),
}
for name, value in seen.items():
    print(f"{name:18}{value}")
assert seen["croniter 5-5"] == [f"01.04. 00:0{n}" for n in range(4)]
assert seen["cronsim 5-5"] == [f"01.04. 0{n}:05" for n in range(4)]
assert seen["cronsim 5-5/2"] == [f"01.04. 00:{n:02}" for n in (5, 7, 9, 11)]
assert seen["croniter */2 Mon"] == [f"0{n}.04. 00:00" for n in (1, 3, 5, 6)]
assert seen["cronsim */2 Mon"] == [f"{n}. 00:00" for n in ("13.04", "27.04", "11.05", "25.05")]
assert seen["croniter 31W"] == [f"{n}. 00:00" for n in ("30.04", "29.05", "30.06", "31.07")]
assert seen["croniter L5"] == seen["cronsim 5L"] == ["24.04. 00:00", "29.05. 00:00"]
assert seen["croniter 5L"]
PY
