"""The golden story of files that agents see."""

from __future__ import annotations

from scheduler.store.tables import folders
from scheduler.words import commands as c
from tests.golden.log import Recorder
from tests.scheduler.story import job

POOL = "files"


def arriving(story: Recorder) -> None:
    """Seen, fired, gone, moved, left; in a folder of each agent and in one that all see; kept by a rate, a
    full queue and a pause; by an agent that may not tell of them."""
    on, params = {"pool": POOL}, {"path": {"type": "string"}}
    own = {"file": {"dir": "/in", "on": on, "as": "path", "then": {"move": "/done"}}, "id": "own"}
    slow = {"file": {"dir": "/slow", "on": on, "max_rate": "1 per 1m"}, "id": "slow", "overlap": "queue_one"}
    all_see = {"file": {"dir": "/all", "on": on, "scope": "shared", "per": "batch"}, "id": "all"}
    story.put(
        job("own", trigger=own, params=params, on=on), job("slow", trigger=slow, on=on),
        job("all", trigger=all_see, on=on), job("two", trigger=[{**slow, "overlap": "queue_all"}], on=on),
    )  # fmt: skip
    one, two = (story.connect(f"eyes-{n}", pool=POOL) for n in (1, 2))
    story.tell(c.ChooseEyes(story.epoch, story.job("all").id, "all", 7, one))
    story.settle()

    def trigger(name: str, key: str) -> int:
        folder = folders.get(story.store, story.job(name).id, key)
        assert folder is not None
        return folder.trigger

    def tell(name: str, key: str, agent: int, *paths: str) -> c.ReportFiles:
        at_ms = story.now_ms - 1_000
        files = tuple(c.FileSeen(path, f"1.b2.3.{len(path)}", len(path), at_ms, at_ms) for path in paths)
        return c.ReportFiles(trigger(name, key), agent, story.sessions[agent], files)

    story.tell_ok(tell("own", "own", one, "/in/a", "/in/b"), tell("own", "own", two, "/in/a"))
    story.tell(tell("own", "own", one, "/in/a"), c.ReportFiles(1, one, "strange", ()))
    both = [tell("all", "all", agent, "/all/x", "/all/y") for agent in (one, two)]
    story.tell(*both)
    story.tell_ok(tell("slow", "slow", one, "/slow/1", "/slow/2"), tell("two", "slow", one, "/slow/1"))
    story.plan_and_apply()
    story.tell(c.FireFiles(story.epoch, story.job("own").id, "own", 1))
    story.settle()
    own_id = trigger("own", "own")
    story.tell_ok(
        c.ReportMoved(own_id, one, story.sessions[one], 1),
        c.ReportMoved(own_id, one, story.sessions[one], 2, "no room"),
        c.ReportGone(trigger("slow", "slow"), one, story.sessions[one], (1, 2, 99)),
        c.ReportBlind(own_id, two, story.sessions[two], "Permission denied"),
    )
    story.tell_ok(c.ReportBlind(own_id, two, story.sessions[two], ""))
    story.tell_ok(c.PauseJob("default", "own"), tell("own", "own", one, "/in/c"))
    story.plan_and_apply()
    story.tell_ok(c.ResumeJob("default", "own"))
    story.settle(exit_code=1)
    story.tell_ok(c.ReportBlind(trigger("slow", "slow"), one, story.sessions[one], "Permission denied"))
    story.now_ms += 1
    story.tell_ok(
        c.ReportBlind(own_id, two, story.sessions[two], "No such file or directory"),
        tell("slow", "slow", two, "/slow/3", "/slow/44", "/slow/555"),
    )
    story.plan_and_apply()
    story.disconnect(one)
    story.disconnect(two)
    story.tell_ok(c.DeleteJob("default", "all"))
    story.tell_ok(c.Sweep(story.epoch, 0, 1_000))
