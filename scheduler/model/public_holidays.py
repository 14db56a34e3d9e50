"""Public holidays of countries, by the package `holidays`: dates alone, since their names change with the
language. Imported when a calendar asks for them; who stores what it says never asks again."""

from __future__ import annotations

import difflib
from datetime import date
from importlib.metadata import version
from typing import Any, NamedTuple

from scheduler.model.problems import Refused


class Found(NamedTuple):
    off: frozenset[date]
    working: frozenset[date]  #: weekend days that the country has worked
    known_until: date | None  #: the last day of which it says anything; None: through all years asked for
    version: str


def of(country: str, subdivision: str | None, years: range) -> Found:
    """Of these years. Raises Refused for a place that the package does not know."""
    import holidays

    _need_known(holidays, country, subdivision)
    # One year more at the end: what is observed before New Year's Day belongs to the year before.
    wide = range(years.start - 1, years.stop + 1)
    told = holidays.country_holidays(country, subdiv=subdivision, years=wide)
    off = frozenset(day for day in told if day.year in years)
    working = frozenset(day for day in getattr(told, "weekend_workdays", ()) if day.year in years)
    return Found(off, working, _known_until(off, working, years), version("holidays"))


def _known_until(off: frozenset[date], working: frozenset[date], years: range) -> date | None:
    """A year without any holiday is one that the package does not know; a country that announces working
    weekends is known as far as it has announced them."""
    last = max((day.year for day in working), default=years.stop - 1)
    for year in years:
        if year > last or not any(day.year == year for day in off):
            return date(year - 1, 12, 31)
    return None


def _need_known(holidays: Any, country: str, subdivision: str | None) -> None:
    known = holidays.list_supported_countries(include_aliases=False)
    if country not in known:
        near = difflib.get_close_matches(country.upper()[:40], known, 1)
        hint = f"did you mean {near[0]}?" if near else "the two letters of ISO 3166, such as DE"
        raise Refused(f"no holidays are known of the country {country[:40]!r}", hint)
    parts = known[country]
    if subdivision is not None and subdivision not in parts:
        near = difflib.get_close_matches(subdivision.upper()[:40], parts, 1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(parts)[:300] or 'none'}"
        raise Refused(f"{country} has no subdivision {subdivision[:40]!r}", hint)
