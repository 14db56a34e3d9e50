"""DAGs of Airflow by their schedules: `GET /api/v2/dags`, `/dags/{id}/details`, or `dag.schedule` as JSON.

What a DAG does is Python within Airflow: a job asks Airflow to run it, at the instants at which its scheduler
did. By its source (_cron.py of 3.3) and run: `30 2` in the hour that clocks skip runs an hour later, and of
the hour that comes twice the second one counts, for which no policy of ours is. Day fields are joined by OR,
also beside `*/n`. Six fields: the second is last.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cli.importing.found import Found, Source, Wishes
from cli.importing.gathering import Gathering, NotTaken, name_of, seconds, zone_of
from cli.importing.items import Item, read_items

DST_NOTE = (
    "in the two nights in which clocks change: a time that is skipped ran an hour later there, here right "
    "after the gap; of an hour that comes twice the second one counted there, here the first"
)
_PRESETS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@weekly": "0 0 * * 0", "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *", "@yearly": "0 0 1 1 *",
}  # fmt: skip


def read(sources: list[Source], wishes: Wishes) -> Found:
    gathering = Gathering(wishes)
    for source in sources:
        for dag in _dags(source):
            with gathering.each(dag.place(), f"DAG {dag.called('dag_id')}"):
                _dag(gathering, dag)
    return gathering.found()


def _dags(source: Source) -> Iterator[Item]:
    for page in read_items(source):
        page.passed("total_entries")
        yield from page.items("dags") if "dags" in page else [page]


def _dag(gathering: Gathering, dag: Item) -> None:
    dag.passed(*dag.names())  # what Airflow tells of a DAG stays there with the DAG
    name = dag.text("dag_id")
    catchup = dag.flag("catchup")
    job: dict[str, Any] = {
        "job": name_of(name),
        "description": dag.text("description"),
        "owner": ", ".join(dag.texts("owners")) if isinstance(dag.get("owners"), list) else "",
        "enabled": False if dag.flag("is_paused") else None,
        "triggers": _triggers(gathering, dag),
        "policies": {
            "overlap": "skip" if dag.number("max_active_runs") == 1 else "allow",
            "catchup": {"mode": "all", "max": 1000, "window": "3650d"} if catchup else {"mode": "latest"},
        },
        "exec": ["airflow", "dags", "trigger", name],
    }
    gathering.note_once(
        dag.place().file,
        "the jobs ask Airflow to run the DAGs (`airflow dags trigger`): set schedule=None there",
    )
    gathering.take(dag.place(), job)


def _triggers(gathering: Gathering, dag: Item) -> list[dict[str, Any]]:
    key = next(
        (k for k in ("schedule", "timetable", "schedule_interval", "timetable_summary") if k in dag), ""
    )
    value = dag.get(key) if key else None
    tz = dag.text("timezone") or "UTC"
    if isinstance(value, dict):
        told = dag.item(key)
        kind = (told.text("type") or told.text("__type")).rpartition(".")[2]
        inner = told.item("__var") if "__var" in told else told
        tz = inner.text("timezone") or tz
        if kind in ("DeltaTriggerTimetable", "DeltaDataIntervalTimetable", "TimeDelta"):
            days = inner.number("days") or 0
            length_s = (inner.number("delta") or inner.number("seconds") or 0) + 86_400 * days
            return [_every(gathering, dag, key, length_s)]
        if kind in ("NullTimetable", "OnceTimetable"):
            return []
        if kind and "Cron" not in kind:
            raise NotTaken(f"{kind}: only cron and time deltas are taken over", dag.place(key))
        value = inner.text("expression") or inner.text("value")
    text = str(value or "").strip()
    if text in ("", "None", "@once"):
        return []
    text = _PRESETS.get(text, text)
    if (
        text.startswith("@")
        or len(text.split()) not in (5, 6)
        or not set(text.split()[0]) <= set("0123456789*/,-")
    ):
        raise NotTaken(f"schedule {text!r}: only cron and time deltas are taken over", dag.place(key))
    words = text.split()
    if len(words) == 6:
        words = [words[5], *words[:5]]
    day, weekday = words[-3], words[-1]
    trigger: dict[str, Any] = {"cron": " ".join(words), "tz": zone_of(tz)}
    if day not in ("*", "?") and weekday not in ("*", "?") and "*" in (day[0], weekday[0]):
        trigger["days"] = "either"
    if trigger["tz"] != "UTC":
        gathering.note_once(dag.place().file, DST_NOTE)
    return [trigger]


def _every(gathering: Gathering, dag: Item, key: str, length_s: float) -> dict[str, Any]:
    if not length_s:
        raise NotTaken("a time delta of no time", dag.place(key))
    if start := dag.text("start_date"):
        return {"every": seconds(length_s), "start": start}
    gathering.note(
        dag.place(key), dag.text("dag_id"), "its start_date is not in the file: the phase may differ"
    )
    return {"every": seconds(length_s)}
