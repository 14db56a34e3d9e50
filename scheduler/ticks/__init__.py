"""When a job is due: the one place that knows schedules, zones and daylight saving time.

Promise: `ticks` of a trigger in (after, until] are a pure function of the trigger's spec (which holds the
dates of its calendars and names the rules of its zone by content) and the two instants, the same on every
node and independent of how the range is cut into parts:
`between(a, c) == between(a, b) + between(b, c)`. All instants are UTC milliseconds; jitter is not in them.

Reading order: expression.py (what a cron expression means), month_days.py (which days it matches),
zones.py (what the clocks on the wall show), zone_files.py (by which rules), cron.py (both together, and the
DST policies), iso8601.py (repeats), dates.py (a calendar's days, as specs carry them), dated.py (a schedule
by calendars), shared.py (what comes from a named schedule), schedule.py (the other kinds, and the spec's
bytes), by_calendar.py (what becomes of one instant), jitter.py.
"""

from scheduler.ticks.by_calendar import is_unknown, left_out, nominal_ms, reach_ms, taken_away
from scheduler.ticks.expression import CronError, Expression, lint, parse_expression
from scheduler.ticks.iso8601 import PERIOD_MS_MIN, RepeatError
from scheduler.ticks.jitter import jitter_ms
from scheduler.ticks.month_days import ever_matches
from scheduler.ticks.schedule import (
    DELAY,
    INSTANT_MS_MAX,
    Schedule,
    SpecError,
    anchored,
    as_written,
    at_spec,
    cron_spec,
    dated_spec,
    delay_of,
    delay_spec,
    event_of,
    event_spec,
    every_spec,
    is_anchored,
    iso8601_spec,
    never_reason,
    pins_of,
    repinned,
    ruled,
    rules_of,
    schedule,
    undated,
    valid_spec,
)
from scheduler.ticks.shared import Span, shared_of, shared_spec
from scheduler.ticks.zones import UnknownZoneError, similar_zones, tzdata_version, zone

__all__ = [
    "DELAY",
    "INSTANT_MS_MAX",
    "PERIOD_MS_MIN",
    "CronError",
    "Expression",
    "RepeatError",
    "Schedule",
    "Span",
    "SpecError",
    "UnknownZoneError",
    "anchored",
    "as_written",
    "at_spec",
    "cron_spec",
    "dated_spec",
    "delay_of",
    "delay_spec",
    "event_of",
    "event_spec",
    "ever_matches",
    "every_spec",
    "is_anchored",
    "is_unknown",
    "iso8601_spec",
    "jitter_ms",
    "left_out",
    "lint",
    "never_reason",
    "nominal_ms",
    "parse_expression",
    "pins_of",
    "reach_ms",
    "repinned",
    "ruled",
    "rules_of",
    "schedule",
    "shared_of",
    "shared_spec",
    "similar_zones",
    "taken_away",
    "tzdata_version",
    "undated",
    "valid_spec",
    "zone",
]
