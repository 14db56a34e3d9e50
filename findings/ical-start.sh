#!/bin/sh
# python-dateutil 2.9.0 and recurring-ical-events 3.8.2 disagree about an event that begins on a day that its rule does not
# match (RFC 5545 leaves that undefined): from a Monday, "two Tuesdays" are the two Tuesdays for the one, the Monday and
# two Tuesdays for the other, though COUNT is 2. A calendar here refuses it, with its line.
# Succeeds while both hold, fails once they have changed.
set -eu
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
  "python-dateutil==2.9.0.post0" "recurring-ical-events==3.8.2" "icalendar==7.3.2"
"$folder/venv/bin/python" - <<'PY'
import sys
from datetime import date

import icalendar
import recurring_ical_events
from dateutil.rrule import rrulestr

RULE = "FREQ=WEEKLY;BYDAY=TU;COUNT=2"
LINES = [
    "BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//example//EN",
    "BEGIN:VEVENT", "UID:1", "DTSTAMP:20260101T000000Z", "DTSTART;VALUE=DATE:20260105", f"RRULE:{RULE}", "END:VEVENT",
    "END:VCALENDAR", "",
]
calendar = icalendar.Calendar.from_ical("\r\n".join(LINES))
events = recurring_ical_events.of(calendar).between(date(2026, 1, 1), date(2026, 3, 1))
told = {
    "dateutil": [at.date().isoformat() for at in rrulestr(f"DTSTART:20260105T000000\nRRULE:{RULE}")],
    "recurring-ical-events": [event["DTSTART"].dt.isoformat() for event in events],
}
print(told)
sys.exit(
    told != {
        "dateutil": ["2026-01-06", "2026-01-13"],
        "recurring-ical-events": ["2026-01-05", "2026-01-06", "2026-01-13"],
    }
)
PY
