"""Which schedules jobs have triggers of, and what of each they hold: by its pin in force."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.store.connection import Store


def of(store: Store, job: int) -> list[tuple[str, str, str]]:
    """Namespace, name and pin of each."""
    rows = store.rows(
        "SELECT namespace, name, pin FROM job_schedules WHERE job = ? ORDER BY namespace, name", (job,)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def pin_of(store: Store, job: int, namespace: str, name: str) -> str | None:
    """What it holds of this schedule; None: it has none of its triggers."""
    found: str | None = store.value(
        "SELECT pin FROM job_schedules WHERE job = ? AND namespace = ? AND name = ?", (job, namespace, name)
    )
    return found


def set_of(
    store: Store, job: int, schedules: Sequence[tuple[str, str, str]], whose: str, per_day: int
) -> None:
    """From now on it has triggers of these and of no others. `whose`: the job's namespace; `per_day`: for how
    many instants it asks by all of its triggers."""
    store.write("DELETE FROM job_schedules WHERE job = ?", (job,))
    for each in schedules:
        store.write(
            "INSERT INTO job_schedules (job, namespace, name, pin, whose, per_day) VALUES (?, ?, ?, ?, ?, ?)",
            (job, *each, whose, per_day),
        )


def hold(store: Store, job: int, namespace: str, name: str, pin: str, per_day: int) -> None:
    """It has the triggers of what the schedule means by this pin, and asks for so much by all that it has."""
    store.write("UPDATE job_schedules SET per_day = ? WHERE job = ?", (per_day, job))
    store.write(
        "UPDATE job_schedules SET pin = ? WHERE job = ? AND namespace = ? AND name = ?",
        (pin, job, namespace, name),
    )


def holders(store: Store, namespace: str, name: str, pin: str, limit: int) -> list[int]:
    """Jobs that hold something else of the schedule than this."""
    found: list[int] = []
    for beyond in ("<", ">"):  # each a range of the index
        rows = store.rows(
            f"SELECT job FROM job_schedules WHERE namespace = ? AND name = ? AND pin {beyond} ?"
            " ORDER BY pin, job LIMIT ?",
            (namespace, name, pin, limit - len(found)),
        )
        found += [row[0] for row in rows]
    return found


def namespaces(store: Store, namespace: str, name: str) -> list[tuple[str, int]]:
    """Whose jobs name this schedule, and how many of each."""
    rows = store.rows(
        "SELECT whose, count(*) FROM job_schedules WHERE namespace = ? AND name = ?"
        " GROUP BY whose ORDER BY whose",
        (namespace, name),
    )
    return [(row[0], row[1]) for row in rows]


def whose(store: Store, job: int, namespace: str, name: str) -> str | None:
    """The namespace of a job that names this schedule; None: it does not."""
    found: str | None = store.value(
        "SELECT whose FROM job_schedules WHERE job = ? AND namespace = ? AND name = ?", (job, namespace, name)
    )
    return found


def asking_more(store: Store, namespace: str, name: str, per_day: int, limit: int) -> list[tuple[int, int]]:
    """Jobs that name this schedule and ask for more than this, and for how much; those that ask for most."""
    rows = store.rows(
        "SELECT job, per_day FROM job_schedules WHERE namespace = ? AND name = ? AND per_day > ?"
        " ORDER BY per_day DESC, job DESC LIMIT ?",
        (namespace, name, per_day, limit),
    )
    return [(row[0], row[1]) for row in rows]


def stale_since(store: Store, job: int, namespace: str | None = None, name: str = "") -> int | None:
    """From when on what the job holds of this schedule, or of any, counts no more; None: it does."""
    one = "" if namespace is None else " AND s.namespace = ? AND s.name = ?"
    since_ms: int | None = store.value(
        "SELECT min(r.at_ms) FROM job_schedules s JOIN redates r ON r.kind = 'schedule'"
        f" AND r.namespace = s.namespace AND r.name = s.name AND r.pin <> s.pin WHERE s.job = ?{one}",
        (job,) if namespace is None else (job, namespace, name),
    )
    return since_ms
