"""Zone data is state: what decides names its rules by content, others count from a person's word on."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scheduler.machine import namespaces
from scheduler.model import parse_job, prepare
from scheduler.plan.passes import redates
from scheduler.store.connection import Store
from scheduler.store.tables import pins, zones
from scheduler.store.tables import triggers as trigger_rows
from scheduler.ticks import cron_spec, plan_days, ruled, rules_of, schedule, zone_files
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from tests.scheduler import zone_data
from tests.scheduler.machine import test_reschedules as shared
from tests.scheduler.machine.test_redates import agrees, settled
from tests.scheduler.story import START_MS, Story, job

ANN = c.Actor("ann", "10.0.0.7")
BERLIN, MOSCOW = "Europe/Berlin", "Europe/Moscow"
OLD, NEW = zone_data.body("2026a"), zone_data.body("2026z", Europe_Berlin=MOSCOW)
"""In the new data clocks of Berlin show what those of Moscow do: noon is at nine by UTC, not at eleven."""


def at(day: int, hour: int) -> int:
    return int(datetime(2027, 1, day, hour, tzinfo=UTC).timestamp() * 1000)


def noon(name: str = "j", **fields: Any) -> dict[str, Any]:
    return job(name, trigger={"cron": "0 12 * * *", "tz": BERLIN, "id": "t", **fields})


def retime(story: Story, body: bytes = NEW, **fields: Any) -> c.Retime:
    before = zones.current(story.store)
    assert before is not None
    names = zone_files.moved(before, zone_files.read(body), START_MS // 1000)
    return msgspec.structs.replace(c.Retime(before.digest, body, tuple(names), (), ANN), **fields)


def hours(story: Story, number: int = 1, count: int = 3) -> list[tuple[int, int]]:
    """Day and hour of what its live trigger is due next."""
    (trigger,) = trigger_rows.live(story.store, number)
    coming = schedule(trigger.spec).upcoming(story.now_ms, count)
    found = [datetime.fromtimestamp(ms / 1000, UTC) for ms in coming]
    return [(each.day, each.hour) for each in found]


def told(story: Story) -> list[tuple[int, str, str]]:
    rows = story.store.rows("SELECT first_ms, outcome, tzdata FROM ledger ORDER BY first_ms, seq")
    return [(ms, outcome, version) for ms, outcome, version in rows]


def test_an_era_names_its_rules_and_the_state_keeps_them(story: Story) -> None:
    story.put(noon())

    (trigger,) = trigger_rows.live(story.store, 1)
    pin = zone_files.pin_of(zone_data.file_of(BERLIN))
    assert rules_of(trigger.spec) == (BERLIN, pin)
    assert story.store.rows("SELECT pin, version, body FROM zone_files") == [
        (pin, "2026a", zone_data.file_of(BERLIN))
    ], "of all zones the one that an era names"
    assert (story.machine.state.tzdata, story.machine.state.zones) == ("2026a", zone_files.read(OLD).digest)
    assert story.one(c.KeepZones(NEW)).value == {"kept": False, "version": "2026a"}, "the first ones count"
    assert hours(story) == [(15, 11), (16, 11), (17, 11)]


def test_no_job_is_decided_by_what_a_node_has_installed(story: Story) -> None:
    story.put(noon("other", tz="America/Havana"))
    by_wheel = prepare(parse_job(noon()), story.now_ms)
    moscow = zone_files.learn(zone_data.file_of(MOSCOW))
    foreign = prepare(parse_job(noon()), story.now_ms, calendars=lambda *_: {"pin": moscow})

    for made in (by_wheel, foreign):
        outcome = story.one(c.PutJobs((made,), story.now_ms))
        assert outcome.code == "superseded"
        assert "other rules of Europe/Berlin" in outcome.detail
    spec = cron_spec("0 12 * * *", tz=BERLIN)
    of_utc = ruled(spec, "0" * 16).replace(BERLIN.encode(), b"UTC")
    sly = msgspec.structs.replace(by_wheel.triggers[0], spec=of_utc)
    outcome = story.one(c.PutJobs((msgspec.structs.replace(by_wheel, triggers=(sly,)),), story.now_ms))
    assert outcome.code == "superseded", "rules of UTC are rules as well"


def test_a_reader_knows_the_rules_of_what_it_reads(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever process it is, and whatever tzdata it has installed: here none at all."""
    story.put(noon())
    monkeypatch.setattr(zone_files, "_LEARNED", {})
    zone_files.pinned.cache_clear()
    schedule.cache_clear()
    reader = Store.open_reader(story.path)
    spec = reader.value("SELECT spec FROM triggers")
    with pytest.raises(ValueError, match="are not known here"):
        schedule(spec)
    (trigger,) = trigger_rows.live(reader, 1)
    assert schedule(trigger.spec).next(START_MS) == at(15, 11)
    reader.close()


def test_other_rules_count_from_the_stamp_of_the_retime_on(story: Story) -> None:
    by_utc = job("d", trigger={"cron": "0 12 * * *"})
    story.put(noon("a"), noon("b"), noon("c", tz="America/Vancouver"), by_utc)
    story.connect()
    for day in (15, 16):
        story.now_ms = at(day, 21)
        story.settle()
    story.now_ms = at(17, 8)

    outcome = story.one(retime(story))
    assert outcome.value == {"before": "2026a", "version": "2026z", "at_ms": at(17, 8), "moving": 1}
    assert story.events == [e.ZoneMoved(BERLIN, live=False), e.Retimed("2026a", "2026z", 1)]
    settled(story)

    assert story.events[-1] == e.ZoneMoved(BERLIN, live=True)
    assert hours(story) == hours(story, 2) == [(17, 9), (18, 9), (19, 9)]
    for number in (1, 2):
        old, new = trigger_rows.of_job(story.store, number)
        assert (old.until_ms, new.from_ms) == (at(17, 8), at(17, 8))
    assert len(trigger_rows.of_job(story.store, 3)) == len(trigger_rows.of_job(story.store, 4)) == 1
    for day in (17, 18):
        story.now_ms = at(day, 21)
        story.settle()
    ran = [(ms, version) for ms, outcome, version in told(story) if outcome == "ran"]
    assert [version for ms, version in ran if ms < at(17, 8)] == ["2026a"] * 8
    assert [ms for ms, version in ran if version == "2026z"] == [
        *[at(17, 9)] * 2, at(17, 12), at(17, 19), *[at(18, 9)] * 2, at(18, 12), at(18, 19),
    ]  # fmt: skip
    agrees(story)
    columns = "actor, action, kind, name, before, after"
    audit = story.store.row(f"SELECT {columns} FROM audit ORDER BY id DESC LIMIT 1")
    assert audit == ("ann", "retime", "cluster", "tzdata", "2026a", "2026z")


def test_what_was_due_before_is_decided_by_the_former_rules_and_says_so(story: Story) -> None:
    """Ticks that wait for the retime to be over are lost as little as those of an outage."""
    story.put(noon(), {**noon("all"), "policies": {"catchup": {"mode": "all", "window": "9d"}}})
    story.connect()
    story.now_ms = at(17, 8)
    assert story.one(c.Fire(story.epoch, 1, at(15, 11), at(16, 11))).ok
    assert story.one(retime(story)).ok
    late = c.Fire(story.epoch, 1, at(17, 11), at(18, 11))
    account = c.Account(story.epoch, 1, at(16, 11), at(17, 11), 2, at(18, 11), "missed", "window")
    said = "no tick after the retime is decided by the former rules"
    assert story.one(account).code == "superseded", said
    settled(story)
    assert story.one(late).code in ("stale_due", "superseded")
    for _ in range(3):
        story.settle()
    story.now_ms = at(17, 10)
    story.settle()
    assert {(ms, version) for ms, _, version in told(story)} == {
        (at(15, 11), "2026a"), (at(16, 11), "2026a"), (at(17, 9), "2026z"),
    }  # fmt: skip
    agrees(story)


def test_what_was_fired_ahead_of_a_retime_belongs_to_the_former_rules(story: Story) -> None:
    """It is due after the stamp of the retime, and is in the ledger once, under what made it due."""
    story.put(noon())
    story.connect()
    story.now_ms = at(15, 11) - 40
    assert story.one(c.Fire(story.epoch, 1, at(15, 11), at(16, 11))).ok
    assert story.one(retime(story)).ok
    settled(story)
    old, new = trigger_rows.of_job(story.store, 1)
    assert old.until_ms == new.from_ms == at(15, 11)
    story.now_ms = at(15, 11)
    story.settle()
    assert told(story) == [(at(15, 11), "ran", "2026a")]
    assert hours(story) == [(16, 9), (17, 9), (18, 9)]
    agrees(story)


def test_a_new_leader_goes_on_where_the_last_one_fell(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redates, "TRIGGERS_A_COMMAND", 2)
    monkeypatch.setattr(redates, "COMMANDS_A_PLAN", 1)
    story.put(*[noon(f"j-{n}") for n in range(5)])
    story.connect()
    story.now_ms = at(16, 8)
    assert story.one(retime(story)).ok
    first = [each for each in story.plan() if isinstance(each, c.Redate)]
    assert [len(each.triggers) for each in first] == [2]
    story.tell_ok(*first)
    story.lead()
    assert story.one(first[0]).code == "stale_epoch"
    story.reopen()
    settled(story)
    assert [hours(story, n) for n in range(1, 6)] == [[(16, 9), (17, 9), (18, 9)]] * 5
    story.now_ms = at(16, 10)
    story.settle()
    agrees(story)
    decided = story.store.rows("SELECT job, first_ms FROM ledger")
    assert len(set(decided)) == len(decided) == len(told(story))


def test_a_file_that_changed_in_bytes_alone_moves_nobody(story: Story) -> None:
    story.put(noon())
    shuffled = zone_data.shuffled("2026b", BERLIN)
    assert zone_files.read(shuffled).pins[BERLIN] != zone_files.read(OLD).pins[BERLIN]
    assert story.one(retime(story, shuffled)).value["moving"] == 0  # type: ignore[index]
    assert pins.first(story.store) is None
    assert len(trigger_rows.of_job(story.store, 1)) == 1
    story.connect()
    story.now_ms = at(15, 12)
    story.settle()
    assert told(story) == [(at(15, 11), "ran", "2026b")]
    agrees(story)
    # Whoever is put from now on goes by the new file, and so does the next retime find both.
    story.put(noon("k"))
    assert len(story.store.rows("SELECT pin FROM zone_files")) == 2
    story.one(retime(story, zone_data.body("2026z", Europe_Berlin=MOSCOW)))
    settled(story)
    assert hours(story) == hours(story, 2) == [(16, 9), (17, 9), (18, 9)]
    agrees(story)


def test_there_and_back_again(story: Story) -> None:
    """Three eras, two of them by the same file: each version is named as it was in force."""
    story.put(noon())
    story.connect()
    for day, body in ((16, NEW), (18, zone_data.body("2027a"))):
        story.now_ms = at(day, 8)
        story.settle()
        assert story.one(retime(story, body)).ok
        settled(story)
    story.now_ms = at(19, 8)
    story.settle()
    assert [rules_of(each.spec) is not None for each in trigger_rows.of_job(story.store, 1)] == [True] * 3
    assert {version for ms, _, version in told(story) if at(16, 8) < ms < at(18, 8)} == {"2026z"}
    assert {version for ms, _, version in told(story) if ms > at(18, 8)} == {"2027a"}
    agrees(story)


def test_plan_dates_are_others_at_once(story: Story) -> None:
    story.tell_ok(c.KeepZones(OLD))

    def days_of(body: bytes) -> plan_days.Pieces:
        found = zone_files.read(body)
        pin = zone_files.learn(found.files[found.pins[BERLIN]])
        return plan_days.pieces(zone_files.pinned(pin), "06:00", story.now_ms)

    given: dict[str, Any] = {"plan_days": days_of(OLD), "plan_tz": BERLIN, "plan_begin": "06:00"}
    right = zone_files.read(OLD).pins[BERLIN]
    for rules, code in (("", "superseded"), ("0" * 16, "superseded"), (right, "ok")):
        assert story.one(c.PutNamespace("finance", b"{}", plan_rules=rules, **given)).code == code
    story.put({**job("f"), "namespace": "finance"})
    story.now_ms = at(16, 4)  # five by the clocks of Berlin, seven by those of Moscow

    def plan_date() -> str:
        story.tell_ok(c.RunJob("finance", "f", b"{}", story.now_ms))
        return plan_days.text_of(story.store.value("SELECT plan_day FROM runs ORDER BY id DESC LIMIT 1"))

    assert plan_date() == "2027-01-15"
    assert story.one(retime(story)).code == "superseded", "who retimes has to bring them along"
    plans = (c.Replanned(BERLIN, "06:00", days_of(NEW)),)
    assert story.one(retime(story, plans=plans)).ok
    assert plan_date() == "2027-01-16"
    assert story.store.rows("SELECT plan_day FROM runs ORDER BY id")[0] == (plan_days.parse("2027-01-15"),)
    none = retime(story, zone_files.packed("2027b", {"Etc/UTC": zone_data.file_of("Etc/UTC")}))
    assert "plan dates go by Europe/Berlin" in story.one(none).detail


def test_namespaces_that_are_planned_alike_are_one_row_for_a_retime(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    story.put(noon())
    berlin = zone_files.read(OLD).pins[BERLIN]

    def put(name: str, begin: str) -> None:
        given: dict[str, Any] = {"plan_tz": BERLIN, "plan_begin": begin, "plan_days": ((0, 0),)}
        given |= {"plan_rules": berlin}
        story.tell_ok(c.PutNamespace(name, b"{}" + begin.encode(), **given))

    def plans() -> list[tuple[str, str]]:
        return list(story.store.rows("SELECT begin, days FROM plans ORDER BY begin"))

    for number in range(20):
        put(f"n{number}", "06:00")
    put("n0", "07:00")
    assert plans() == [("06:00", "[[0,0]]"), ("07:00", "[[0,0]]")]
    moved = tuple(c.Replanned(BERLIN, begin, ((5, 1),)) for begin in ("06:00", "07:00", "08:00"))
    assert story.one(retime(story, plans=moved)).ok
    assert plans() == [("06:00", "[[5,1]]"), ("07:00", "[[5,1]]")], "nobody is planned by 08:00"
    story.tell_ok(c.DeleteNamespace("n0"), c.PutNamespace("n1", b"{}"))
    assert plans() == [("06:00", "[[5,1]]")]
    monkeypatch.setattr(namespaces, "PLANS_MAX", 1)  # as many as a Retime may bring along
    berlin = zone_files.read(NEW).pins[BERLIN]
    put("n0", "06:00")
    late: dict[str, Any] = {"plan_tz": BERLIN, "plan_begin": "09:00", "plan_rules": berlin}
    assert story.one(c.PutNamespace("n2", b"{}", plan_days=((0, 0),), **late)).code == "limit"
    story.tell_ok(c.DeleteNamespace("n0"))
    story.tell_ok(*[c.DeleteNamespace(f"n{number}") for number in range(1, 20)])
    assert plans() == []


def test_edits_wait_until_all_have_taken_over(story: Story) -> None:
    story.put(noon(), noon("k"))
    story.now_ms += 1000
    story.one(retime(story))
    known = story.calendars()
    new = prepare(parse_job(noon(days="both")), story.now_ms, calendars=known)
    assert story.one(c.PutJobs((new,), story.now_ms)).code == "switching"
    assert story.one(retime(story, zone_data.body("2027a"))).code == "switching"
    settled(story)
    assert story.one(c.PutJobs((new,), story.now_ms)).ok
    stale = retime(story, zone_data.body("2027a"), before=zone_files.read(OLD).digest)
    assert story.one(stale).code == "superseded"


def test_a_schedule_by_a_zone_is_edited_before_and_after_a_retime(story: Story) -> None:
    def at_hour(hour: int) -> dict[str, Any]:
        return shared.named({"cron": f"0 {hour} * * *", "tz": BERLIN, "id": "t"})

    assert story.apply(at_hour(12), shared.user("a"), shared.user("b")).ok
    story.connect()
    story.now_ms += 1000
    assert story.apply(at_hour(13)).ok
    assert story.one(retime(story)).code == "switching", "its triggers are prepared by the rules in force"
    shared.settled(story)
    assert [hours(story, number) for number in (1, 2)] == [[(15, 12), (16, 12), (17, 12)]] * 2

    story.now_ms += 1000
    assert story.one(retime(story)).ok
    assert story.apply(at_hour(14)).ok
    shared.settled(story)
    assert [hours(story, number) for number in (1, 2)] == [[(15, 11), (16, 11), (17, 11)]] * 2, "by Moscow's"
    story.now_ms = at(18, 20)
    story.settle()
    agrees(story)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "cut off"),
        (b"zones", "no zone files"),
        (zlib.compress(b"{}\n"), "no zone files"),
        (zlib.compress(b"[" * 100_000), "no zone files"),
        (zlib.compress(b'{"version":7,"zones":{}}\n'), "name no version"),
        (zlib.compress(b'{"version":"2026a","zones":{}}\n'), "0 zones"),
        (zlib.compress(b'{"version":"\\ud800","zones":{"a":[0,4]}}\nTZif'), "ASCII"),
        (zlib.compress(b'{"version":"2026a","zones":{"\\ud800":[0,4]}}\nTZif'), "ASCII"),
        (zlib.compress(b'{"version":"2026a","zones":{"a":[0,5]}}\nTZif'), "no zone file"),
        (zlib.compress(b'{"version":"2026a","zones":{"a":[1,4]}}\nTZif'), "no zone file"),
        (zlib.compress(b'{"version":"2026a","zones":{"a":[-4,4]}}\nTZif'), "no zone file"),
        (zlib.compress(b'{"version":"2026a","zones":{"a":"b"}}\nTZif'), "no zone file"),
        (zlib.compress(b'{"version":"2026a","zones":{"a":[0,20000]}}\nTZif' + bytes(20_000)), "no zone file"),
        (zlib.compress(b" " * (zone_files.WHOLE_BYTES_MAX + 1)), "more than"),
        (OLD[:-10], "cut off"),
        (bytes(zone_files.BODY_BYTES_MAX + 1), "at most"),
    ],
)
def test_bytes_that_are_no_zone_files_are_refused(story: Story, body: bytes, said: str) -> None:
    outcome = story.one(c.KeepZones(body))
    assert outcome.code == "invalid"
    assert said in outcome.detail
    assert not story.machine.state.zones
    story.tell_ok(c.KeepZones(OLD))
    digest = story.machine.state.zones
    assert story.one(c.Retime(digest, body, ())).code == "invalid"
    assert story.machine.state.zones == digest


def test_a_file_that_nobody_can_read_stops_no_node(story: Story) -> None:
    """What a front of ours never sends: `verify` says of which era nobody can tell what was due."""
    good = zone_files.packed("2026a", {BERLIN: zone_data.file_of(BERLIN)})
    story.tell_ok(c.KeepZones(good))
    story.put(noon(), job("good", trigger={"cron": "0 12 * * *"}))
    story.connect()
    bad = zone_files.packed("2026b", {BERLIN: b"TZif" + b"9" * 60})
    assert story.one(c.Retime(zone_files.read(good).digest, bad, (BERLIN,))).ok
    settled(story)
    story.now_ms = at(16, 12)
    story.settle()
    verdict = verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms)
    assert [(each.kind, each.job) for each in verdict.problems] == [("unreadable", 1)]
    assert story.one(retime_of(story, good, "2026c")).ok
    settled(story)
    assert hours(story)[0] == (17, 11)


def retime_of(story: Story, body: bytes, version: str) -> c.Retime:
    found = zone_files.read(body)
    new = zone_files.packed(version, {name: found.files[pin] for name, pin in found.pins.items()})
    return c.Retime(story.machine.state.zones, new, tuple(found.pins))


def test_what_a_retime_may_not_say(story: Story) -> None:
    assert story.one(c.Retime("", NEW, ())).code == "superseded", "no zone data is in force"
    story.put(noon())
    again = zone_files.packed("2026a", {n: zone_data.file_of(n) for n in zone_data.ZONES})
    assert story.one(c.Retime(story.machine.state.zones, again, ())).code == "conflict"
    assert story.one(retime(story, moved=("Mars/Olympus",))).code == "invalid"
    assert story.one(retime(story, moved=(BERLIN, BERLIN))).code == "invalid"
    gone = zone_files.packed("2026z", {"Etc/UTC": zone_data.file_of("Etc/UTC")})
    outcome = story.one(retime(story, gone, moved=()))
    assert outcome.code == "conflict"
    assert "Europe/Berlin, which 2026z does not have" in outcome.detail
    plans = tuple(c.Replanned(BERLIN, f"{n // 60:02}:{n % 60:02}", ()) for n in range(201))
    assert story.one(retime(story, plans=plans)).code == "limit"
    assert story.machine.state.tzdata == "2026a"


def test_a_backup_has_the_files_that_its_eras_name(
    story: Story, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Eras of two versions, proved from the copy alone by a process that never heard of either."""
    story.put(noon())
    story.connect()
    story.now_ms = at(16, 8)
    story.settle()
    assert story.one(retime(story)).ok
    settled(story)
    story.now_ms = at(18, 8)
    story.settle()
    copy = tmp_path / "backup.db"
    story.store.copy_to(copy)
    monkeypatch.setattr(zone_files, "_LEARNED", {})
    zone_files.pinned.cache_clear()
    schedule.cache_clear()
    backup = Store.open_reader(copy, is_live=False)
    verdict = verify(backup, START_MS, story.now_ms, now_ms=story.now_ms)
    assert verdict.ok, verdict.problems
    assert verdict.due == 3, "noon of the 15th by the former rules, of the 16th and 17th by the new ones"
    backup.close()


def test_a_state_that_lost_a_zone_file_is_no_proof(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    story.put(noon())
    story.store.execute("DELETE FROM zone_files")
    story.store.execute("UPDATE zone_data SET body = ?", (NEW,))
    monkeypatch.setattr(zone_files, "_LEARNED", {})
    monkeypatch.setattr(zones, "_READ", {})
    zone_files.pinned.cache_clear()
    schedule.cache_clear()
    verdict = verify(story.store, START_MS, at(16, 12), now_ms=at(16, 12))
    assert [each.kind for each in verdict.problems] == ["unreadable"]
    assert "are not known here" in verdict.problems[0].detail


def test_words_of_python_are_in_no_outcome(story: Story) -> None:
    """Nodes compare outcomes, and may run on different versions of it."""
    for body in (b"zones", zlib.compress(b"{,}\n"), zlib.compress(b"[]\n")):
        detail = story.one(c.KeepZones(body)).detail
        assert detail.removeprefix("no zone files: ") in ("error", "JSONDecodeError", "TypeError")
