"""The bugs: what is changed where, which plan catches it, and by which offence."""

from __future__ import annotations

from dataclasses import dataclass, field

from chaos.plan import Step

Edits = tuple[tuple[str, str, str], ...]  #: (module, text that occurs once, text instead)


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    edits: Edits
    steps: tuple[Step, ...]
    caught_by: frozenset[str]  #: any of these offences, "checker: kind"
    load: str = "full"
    links: str = "direct"  #: enough for faults of processes; else any kind that can cut
    minimum: dict[str, int] = field(default_factory=dict)


def _says(*offences: str) -> frozenset[str]:
    return frozenset(offences)


LEADER_KILLED = (Step(2_000, 2_000, "leader-killed"),)
QUIET = (Step(4_000, 1_000, "agent-killed"),)
APPLIED = (Step(12_000, 1_000, "agent-killed"),)  #: time enough for some stages
MINUTE = (Step(85_000, 1_000, "agent-killed"),)  #: windows have opened and ended, and were open for a while
STAGED = (Step(22_000, 1_000, "agent-killed"),)  #: each goes live for half a second
HOLDINGS = "scheduler.machine.rules.holdings"
ALONE = (Step(2_000, 6_000, "leader-alone"),)

MUTANTS = (
    Mutant(
        "a-closed-date-is-open",
        (
            (
                "scheduler.machine.rules.gates.closed",
                "    return NEVER if view.closed_day is not None else READY\n",
                "    return READY\n",
            ),
        ),
        APPLIED,
        _says("days: fired-while-closed"),
    ),
    Mutant(
        "nobody-holds-a-tick",
        (
            (
                "scheduler.machine.rules.gates.changed",
                "WAITS.get(row.act, READY)",
                "(WAITS[MOVED] if row.act == MOVED else READY)",
            ),
        ),
        APPLIED,
        _says("days: started-while-held"),
    ),
    Mutant(
        "nobody-moves-a-tick",
        (
            (
                "scheduler.machine.rules.gates.changed",
                "WAITS.get(row.act, READY)",
                "(WAITS[HELD] if row.act == HELD else READY)",
            ),
        ),
        APPLIED,
        _says("days: not-moved"),
    ),
    Mutant(
        "nobody-brings-a-tick-forward",
        (
            (
                "scheduler.machine.changed_ticks",
                "row.move_ms if row.move_ms is not None and row.move_ms < row.at_ms else None",
                "None",
            ),
        ),
        APPLIED,
        _says("days: not-brought"),
    ),
    Mutant(
        "what-came-early-comes-again",
        (
            (
                "scheduler.machine.ticks",
                "if changed is not None and changed.act == FIRED:",
                "if False and changed:",
            ),
        ),
        APPLIED,
        _says("days: two-outcomes"),
    ),
    Mutant(
        "a-skipped-tick-comes",
        (("scheduler.machine.rules.gates.changed", "NEVER if row.act == SKIPPED else ", ""),),
        APPLIED,
        _says("days: not-skipped"),
    ),
    Mutant(
        "what-a-tick-was-given-is-forgotten",
        (
            (
                "scheduler.machine.ticks",
                "params=changed.params or None if changed is not None else None",
                "params=None",
            ),
        ),
        APPLIED,
        _says("days: other-parameter"),
    ),
    Mutant(
        "a-pause-does-not-end-by-itself",
        (("scheduler.plan.passes.job_pauses", "for each in found]", "for each in found[:0]]"),),
        APPLIED,
        _says("ticks: bad-skipped"),
    ),
    Mutant(
        "a-backfill-knows-no-bound",
        (
            (
                "scheduler.machine.backfills",
                "    free = row.active_max - row.active\n",
                "    free = 100 - row.active\n",
            ),
        ),
        APPLIED,
        _says("days: over-filled"),
    ),
    Mutant(
        "a-backfill-does-not-look-back",
        (
            (
                "scheduler.machine.rules.filling",
                "    known = look(store, row.job, row.key, at_ms)\n    if known.what in",
                "    known = Known('')\n    if known.what in",
            ),
        ),
        APPLIED,
        _says("days: filled-twice"),
    ),
    Mutant(
        "a-warning-is-forgotten",
        (("scheduler.machine.steps.ends", "        run_rows.set_warned(ctx.store, run.id)\n", ""),),
        QUIET,
        _says("results: wrong-mark"),
    ),
    Mutant(
        "skipped-is-succeeded",
        (
            (
                "scheduler.machine.steps.ends",
                """"skipped" if means is Means.SKIPPED else state""",
                "state",
            ),
        ),
        QUIET,
        _says("results: wrong-mark"),
    ),
    Mutant(
        "not-made-is-good",
        (
            (
                "scheduler.machine.steps.ends",
                "verdicts.BAD if unmet and ends.event is AttemptEvent.SUCCEEDED else ends",
                "ends",
            ),
        ),
        QUIET,
        _says("results: unmade"),
    ),
    Mutant(
        "nobody-looks-at-stderr",
        (("agent.spool.child", "                self._wrote_stderr = True\n", "                pass\n"),),
        QUIET,
        _says("results: wrong-mark"),
    ),
    Mutant(
        "an-edit-of-a-schedule-loses-a-tick",
        (
            (
                "scheduler.machine.steps.retriggering",
                "    due_ms = each.first_due_ms if is_known else from_ms\n",
                "    due_ms = (each.first_due_ms if is_known else from_ms) and from_ms + 2_500\n",
            ),
        ),
        APPLIED,
        _says("ticks: unaccounted"),
    ),
    Mutant(
        "another-delivery",
        (
            (
                "api.hooks.receiving",
                "        signed = signed if signed.id else signed._replace(id=own_id)\n",
                "        signed = signed._replace(id=own_id)\n",
            ),
        ),
        QUIET,
        _says("deliveries: told-otherwise", "deliveries: never-sent"),
    ),
    Mutant(
        "every-branch",
        (
            (
                "scheduler.machine.rules.gates.when",
                "    return READY if view.when.holds() else NEVER\n",
                "    return READY\n",
            ),
        ),
        QUIET,
        _says("graphs: wrong-branch"),
    ),
    Mutant(
        "caught-without-a-failure",
        (
            (
                "scheduler.machine.rules.groups",
                "    if worst is None or (caught is not None",
                "    if worst is None and caught is None and group.catch:\n"
                "        return Catch()\n"
                "    if worst is None or (caught is not None",
            ),
            (
                "scheduler.machine.steps.regrouping",
                "        assert worst is not None\n",
                "        worst = worst or groups.WELL\n",
            ),
        ),
        APPLIED,
        _says("workflows: catch-without-failure"),
    ),
    Mutant(
        "finally-at-once",
        (
            (
                "scheduler.machine.rules.gates.rest",
                "    return WAITS if view.kept else READY\n",
                "    return READY\n",
            ),
        ),
        QUIET,
        _says("workflows: finally-early"),
    ),
    Mutant(
        "outputs-of-the-first-round",
        (("scheduler.store.reads.outputs", "ORDER BY round DESC LIMIT 1", "ORDER BY round LIMIT 1"),),
        APPLIED,
        _says("workflows: other-output"),
    ),
    Mutant(
        "no-window-is-closed",
        (
            (
                "scheduler.machine.rules.gates.window",
                "    return READY if view.outside is None else WAITS\n",
                "    return READY\n",
            ),
            (
                "scheduler.machine.steps.windows",
                "    if now is None or now.window_ms is None:\n        return False\n",
                "    return False\n",
            ),
        ),
        QUIET,
        _says("windows: started-outside"),
    ),
    Mutant(
        "members-know-no-window",
        (
            (
                "scheduler.machine.rules.task_views",
                "    outside = _outside(store, run, graph, graph.place(run, task))\n",
                "    outside = None\n",
            ),
            ("scheduler.machine.steps.windows", "        group = 0 if whole is None else whole.of_group\n",
             "        group = 0\n"),
        ),
        MINUTE,
        _says("windows: started-outside"),
    ),
    Mutant(
        "a-window-opens-for-nobody",
        (
            (
                "scheduler.machine.waits",
                "            walking.leave(ctx, run, [Tell(place, AMONG, 0)])\n",
                "            pass\n",
            ),
            ("scheduler.machine.waits", "            admitting.let_begin(ctx, run)\n    return OK\n",
             "            pass\n    return OK\n"),
        ),
        MINUTE,
        _says("windows: not-let-in", "windows: passed-over"),
    ),
    Mutant(
        "a-run-of-another-job-twice",
        (
            (
                "scheduler.machine.steps.nesting",
                "    outcome = firing.fire(\n",
                "    firing.fire(\n"
                "        ctx, Cause(Kind.NESTED, key + '~'), job, due_ms=ctx.stamp_ms, params=params,\n"
                "        plan_day=run.plan_day, on_place=False,\n"
                "    )\n"
                "    outcome = firing.fire(\n",
            ),
        ),
        QUIET,
        _says("workflows: orphan"),
    ),
    Mutant(
        "does-not-wait-for-its-run",
        (
            (
                "scheduler.machine.steps.acting",
                '    return OK if work["wait"] else _end(ctx, run, task, work)\n',
                "    return _end(ctx, run, task, work)\n",
            ),
        ),
        QUIET,
        _says("workflows: finally-early", "workflows: another-end"),
    ),
    Mutant(
        "a-hold-holds-nothing",
        (
            (
                "scheduler.machine.rules.gates.held",
                "    return WAITS if view.held else READY\n",
                "    return READY\n",
            ),
        ),
        QUIET,
        _says("hands: started-while-held"),
    ),
    Mutant(
        "a-suspension-is-forgotten",
        (
            (
                "scheduler.machine.rules.gates.suspended",
                "    return WAITS if view.run.state in KEPT_BACK else READY\n",
                "    return READY\n",
            ),
            ("scheduler.machine.attempts", "    if run.state in KEPT_BACK:\n", "    if False:\n"),
        ),
        APPLIED,
        _says("hands: started-while-suspended", "lifecycle: started-kept-back"),
    ),
    Mutant(
        "nobody-notes-hands",
        (
            (
                "scheduler.machine.task_hands",
                '    ctx.changed(\n        "task",',
                '    (lambda *_, **__: None)(\n        "task",',
            ),
        ),
        QUIET,
        _says("hands: unnoted"),
    ),
    Mutant(
        "what-is-skipped-runs",
        (
            (
                "scheduler.machine.task_hands",
                '    ends.finish(ctx, found.run, found.task, "skipped", told=told, reason=_by(command), '
                "started_ms=None)\n",
                "",
            ),
        ),
        APPLIED,
        _says("hands: ran-though-skipped", "hands: not-skipped"),
    ),
    Mutant(
        "all-is-done-again",
        (
            (
                "scheduler.machine.steps.repeating",
                "        if letter == reruns.ANEW:\n",
                "        if letter != reruns.LEFT_OUT:\n",
            ),
        ),
        APPLIED,
        _says("hands: done-again"),
    ),
    Mutant(
        "a-verdict-is-forgotten",
        (
            (
                "scheduler.machine.hands",
                "    overrides.put(ctx.store, Override(run.id, verdict, ctx.stamp_ms, actor, reason))\n",
                "",
            ),
        ),
        APPLIED,
        _says("hands: verdict-lost"),
    ),
    Mutant(
        "a-retry-waits-all-the-same",
        (("scheduler.machine.task_hands", "        trying.again(ctx, run, task)\n", "        pass\n"),),
        STAGED,
        _says("hands: not-retried"),
    ),
    Mutant(
        "no-claim",
        (
            (
                "agent.work.claims",
                "        self._journal.claim(attempt, claimed.claim, release, work_of(assign), "
                "claimed.journal)\n",
                "        claimed.phase, claimed.fence = Phase.GRANTED, 0\n"
                "        claimed.environment = {'CRONCLAVE_JOB': assign.job, "
                "'CRONCLAVE_RUN': str(assign.run), 'CRONCLAVE_ATTEMPT': str(assign.number)}\n"
                "        claimed.valid_until_ms = self._clock.boot_ms() + 10_000\n"
                "        self._starting.when_due(claimed, assign)\n",
            ),
        ),
        QUIET,
        _says("dispatch: wrong-fence", "dispatch: no-grant"),
    ),
    Mutant(
        "says-that-it-never-started",
        (
            (
                "agent.work.reports",
                "        claimed = self._held.pop(end.attempt, None)\n",
                "        if end.reason == 'exit' and end.attempt % 5 == 0:\n"
                "            end = Exit.unstarted(end.attempt, 'unstarted', '', at_ms=end.finished_ms)\n"
                "        claimed = self._held.pop(end.attempt, None)\n",
            ),
        ),
        QUIET,
        _says("dispatch: unstarted-ran"),
    ),
    Mutant(
        "double-spawn",
        (
            (
                "agent.spool.server",
                "            spooled = Spooled(\n",
                "            Spooled(\n"
                "                command, self._output, self._surroundings, self._clock, self._installation\n"
                "            )\n"
                "            spooled = Spooled(\n",
            ),
        ),
        QUIET,
        _says("ticks: started-twice"),
    ),
    Mutant(
        "fired-twice",
        (
            (
                "scheduler.plan.firing",
                "        turn.append(Fire(view.epoch, trigger.id, due_ms, next_ms, agent, False, nominal))\n",
                "        fire = Fire(view.epoch, trigger.id, due_ms, next_ms, agent, False, nominal)\n"
                "        turn += [fire, fire]\n",
            ),
            (
                "scheduler.machine.ticks",
                "    if trigger is None or trigger.next_due_ms != tick_ms:\n",
                "    if trigger is None:\n",
            ),
            (
                "scheduler.store.tables.ledger",
                '_INSERT = f"INSERT INTO ledger',
                '_INSERT = f"INSERT OR IGNORE INTO ledger',
            ),
        ),
        QUIET,
        _says("ticks: two-runs", "ticks: two-outcomes"),
    ),
    Mutant(
        "no-epoch-check",
        (
            (
                "scheduler.machine.dispatch",
                "    if isinstance(command, c.ByPlanner) and command.epoch != ctx.state.epoch:\n",
                "    if False:\n",
            ),
            (
                "scheduler.machine.ticks",
                "    if trigger is None or trigger.next_due_ms != tick_ms:\n",
                "    if trigger is None:\n",
            ),
            (
                "node.planner",
                '        if status.state != "leader" or not status.ready:\n',
                "        if not status.ready:\n",
            ),
            (
                "node.planner",
                "        if row is None or row[1] != self._node or row[2] != status.term:\n",
                "        if row is None:\n",
            ),
        ),
        LEADER_KILLED,
        _says("ticks: two-runs", "ticks: two-outcomes"),
    ),
    Mutant(
        "acknowledged-before-commit",
        (
            (
                "cluster.raft",
                "        commit = self.commit()\n        if self._hardening.acknowledge_after_sync:\n",
                "        commit = self.last_index() if self.role() is Role.LEADER else self.commit()\n"
                "        if self._hardening.acknowledge_after_sync:\n",
            ),
        ),
        ALONE,
        _says(
            "durable: lost-write",
            "durable: lost-run",
            "dispatch: two-histories",
            "linear: not-linearizable",
            "durable: different-state",
        ),
        links="any",
    ),
    Mutant(
        "stale-read",
        (
            (
                "api.consistency",
                "            await call.scheduler.barrier("
                "timeout_s=BARRIER_S if quorum else BARRIER_WITHOUT_QUORUM_S)\n",
                "            pass\n",
            ),
        ),
        (Step(2_000, 8_000, "follower-slow"),),
        _says("linear: not-linearizable", "durable: stale-read"),
        links="any",
    ),
    Mutant(
        "watermark-from-now",
        (
            (
                "scheduler.plan.firing",
                "        next_ms = view.cache.next(trigger.id, trigger.spec, due_ms)\n        agent = 0",
                "        next_ms = view.cache.next(trigger.id, trigger.spec, due_ms)\n"
                "        if due_ms + trigger.jitter_ms < view.now_ms - 100:\n"
                "            from scheduler.words.commands import Account\n"
                "            at = (view.epoch, trigger.id, due_ms, due_ms)\n"
                "            yield Account(*at, 0, next_ms, 'skipped', '')\n"
                "            due_ms = next_ms\n"
                "            continue\n"
                "        agent = 0",
            ),
            (
                "scheduler.machine.ticks",
                "        if last_ms > trigger.from_ms:\n",
                "        if False:\n",
            ),
        ),
        (Step(2_000, 2_500, "majority-killed"),),
        _says("ticks: unaccounted"),
    ),
    Mutant(
        "lease-ignored",
        (
            (
                "agent.spool.server",
                "        return self._lease_until if ends else now + 1e9\n",
                "        return now + 1e9\n",
            ),
        ),
        (Step(12_000, 45_000, "agent-cut-off", 1), Step(12_100, 45_000, "agent-cut-off", 2)),
        _says("dispatch: at-the-same-time"),
        load="lease",
        links="any",
    ),
    Mutant(
        "idempotency-forgotten",
        (
            (
                "scheduler.store.tables.idempotency",
                "    return None if row is None else (row[0], row[1])\n",
                "    return None\n",
            ),
            ("scheduler.store.tables.idempotency", '"INSERT INTO', '"INSERT OR REPLACE INTO'),
        ),
        QUIET,
        _says("durable: run-twice"),
    ),
    Mutant(
        "overlap-ignored",
        (
            (
                "scheduler.machine.rules.gates.overlap",
                '    if view.others < view.most or view.overlap == "allow":\n',
                "    if True:\n",
            ),
        ),
        QUIET,
        _says("dispatch: at-the-same-time"),
    ),
    Mutant(
        "a-key-finds-nobody",
        (("scheduler.store.tables.runs", "job = ? AND key IN (?, ?)", "job = ? AND key IN (?, ?) AND 0"),),
        QUIET,
        _says("dispatch: at-the-same-time"),
    ),
    Mutant(
        "catch-up-forgotten",
        (
            (
                "scheduler.plan.catchup",
                '    wanted = {"latest": 1, "all": job.catchup_max}.get(job.catchup_mode, 0)\n',
                "    wanted = 0\n",
            ),
        ),
        (Step(2_000, 6_000, "all-killed"),),
        _says("ticks: bad-missed"),
    ),
    Mutant(
        "started-early",
        (
            ("node.planner", "LEAD_MS_MIN = 50\n", "LEAD_MS_MIN = 400\n"),
            (
                "agent.work.due",
                "        while self._heap and self._heap[0][0] <= now_ms:\n",
                "        while self._heap:\n",
            ),
        ),
        QUIET,
        _says("ticks: early"),
    ),
    Mutant(
        "report-acknowledged-unheard",
        (
            (
                "api.agents.socket",
                "    async def _outcome_of(self, command: Command) -> Outcome | NoOutcome:\n",
                "    async def _outcome_of(self, command: Command) -> Outcome | NoOutcome:\n"
                "        from scheduler.words.commands import Finish\n"
                "        if isinstance(command, Finish) and command.attempt % 5 == 0:\n"
                "            return Outcome('superseded')\n",
            ),
        ),
        QUIET,
        _says("liveness: hangs", "ticks: bad-skipped"),
    ),
    Mutant(
        "nodes-differ",
        (
            (
                "scheduler.machine.context",
                "    def write_ledger(\n",
                "    def write_ledger(self, **entry):\n"
                "        import os\n"
                "        entry['reason'] = entry['reason'] or str(os.getpid())\n"
                "        return self.write_ledger_(**entry)\n\n"
                "    def write_ledger_(\n",
            ),
        ),
        QUIET,
        _says(
            "durable: different-state",
            "durable: not-converged",
            "dispatch: two-histories",
            "liveness: no-ready",
        ),
    ),
    Mutant(
        "newest-vars",
        (
            (
                "scheduler.store.reads.run_vars",
                "o.revision = v.revision",
                "o.revision = (SELECT max(n.revision) FROM object_revisions n WHERE n.kind = 'vars'"
                " AND n.namespace = v.namespace AND n.name = v.name)",
            ),
        ),
        APPLIED,
        _says("objects: wrong-values", "objects: mixed-values"),
    ),
    Mutant(
        "last-slice-left-out",
        (
            (
                "scheduler.machine.steps.staging",
                "    ctx.room -= SWITCHED + item.size // BYTES_A_UNIT\n",
                "    if item.place >= stage.items - 5:\n        return\n",
            ),
        ),
        APPLIED,
        _says("objects: half-applied"),
    ),
    Mutant(
        "switched-unsettled",
        (
            ("scheduler.machine.switching", "TOUCHES.get(type(command))\n", "None\n"),
            ("scheduler.machine.steps.staging", "ITEMS_A_STEP = 500\n", "ITEMS_A_STEP = 1\n"),
        ),
        STAGED,
        _says("objects: mixed-values", "objects: wrong-values"),
    ),
    Mutant(
        "prune-forgotten",
        (("api.objects.judging", "    return tuple(Deletion(*each) for each in gone)\n", "    return ()\n"),),
        APPLIED,
        _says("objects: bad-prune"),
    ),
    Mutant(
        "quota-ignored",
        (
            (
                "scheduler.machine.rules.allowances",
                "    if allowance is None or allowance.jobs_max is None:\n",
                "    if True:\n",
            ),
        ),
        APPLIED,
        _says("objects: over-quota"),
    ),
    Mutant(
        "a-lock-is-no-lock",
        (("scheduler.machine.rules.amounts", "amount.total - use.held", "amount.total"),),
        QUIET,
        _says("licences: held-twice"),
    ),
    Mutant(
        "a-lock-goes-with-its-leader",
        (
            (
                "scheduler.machine.leadership",
                "    state.epoch += 1\n",
                '    state.epoch += 1\n    ctx.store.write("UPDATE resource_uses SET held = 0")\n',
            ),
        ),
        LEADER_KILLED,
        _says("licences: held-twice"),
    ),
    Mutant(
        "a-block-gives-back-between-its-tasks",
        (
            (
                "scheduler.machine.steps.locking",
                "    _give_back(ctx, TASK, task, run)\n",
                "    _give_back(ctx, TASK, task, run)\n"
                "    row = task_rows.get(ctx.store, task)\n"
                "    if row is not None:\n"
                "        give_back_group(ctx, run, row.of_group)\n",
            ),
        ),
        QUIET,
        _says("licences: held-twice"),
    ),
    Mutant(
        "silence-is-consent",
        (("scheduler.machine.steps.acting", "    ASKS: _expire,\n", "    ASKS: _end,\n"),),
        QUIET,
        _says("approvals: unanswered"),
    ),
    Mutant(
        "whoever-answers-approves",
        (("scheduler.machine.approvals", '"succeeded" if answer == APPROVED else "failed"', '"succeeded"'),),
        QUIET,
        _says("approvals: unanswered", "approvals: answer-lost"),
    ),
    Mutant(
        "who-is-asked-lets-others-in",
        (
            (
                "scheduler.machine.steps.asking",
                """    barred = approving.barred(ctx.store, run) if work["four_eyes"] else ""\n""",
                """    from scheduler.machine.steps import locking\n"""
                """    locking.give_back_group(ctx, run.id, task.of_group)\n"""
                """    barred = approving.barred(ctx.store, run) if work["four_eyes"] else ""\n""",
            ),
        ),
        APPLIED,
        _says("licences: held-twice"),
    ),
    Mutant(
        "any-word-is-taken",
        (
            (
                "scheduler.machine.rules.completing",
                "return None if is_same(known, said) else _said(run, task, known)",
                "return None",
            ),
        ),
        QUIET,
        _says("completions: word-lost"),
    ),
    Mutant(
        "how-far-it-is-is-forgotten",
        (
            (
                "scheduler.machine.completions",
                "known._replace(percent=command.percent, doing=command.text, told_ms=ctx.stamp_ms)",
                "known",
            ),
        ),
        QUIET,
        _says("completions: progress-lost"),
    ),
    Mutant(
        "handed-on-is-done",
        (("scheduler.machine.steps.ends", "if async_ms is not None:", "if async_ms is not None and False:"),),
        QUIET,
        _says("completions: completed-without"),
    ),
    Mutant(
        "who-waits-outside-holds-nothing",
        (
            (
                "scheduler.machine.steps.awaiting",
                "    agent_rows.release(ctx.store, attempt.agent)\n",
                "    placing.free(ctx, attempt)\n",
            ),
        ),
        STAGED,
        _says("completions: given-back-early"),
    ),
    Mutant(
        "one-success-less-is-enough",
        (("scheduler.machine.rules.joins", "now.succeeded >= wants", "now.succeeded >= wants - 1"),),
        QUIET,
        _says("many: joined-early", "many: joined-without"),
    ),
    Mutant(
        "members-all-at-once",
        (("scheduler.machine.rules.gates.share", "return bool(share.parallel_max) and", "return False and"),),
        QUIET,
        _says("many: over-parallel"),
    ),
    Mutant(
        "agents-have-any-number-of-members",
        (
            (HOLDINGS, "    if not wanted.agent_max:\n        return False\n", "    return False\n"),
            (HOLDINGS, "    if not wanted.agent_max:\n        return {}\n", "    return {}\n"),
        ),
        QUIET,
        _says("many: over-agent"),
    ),
    Mutant(
        "a-member-counts-twice",
        (("scheduler.machine.steps.joining", '+ (state == "succeeded")', '+ 2 * (state == "succeeded")'),),
        QUIET,
        _says("many: other-counts", "many: joined-early"),
    ),
    Mutant(
        "a-verdict-is-told-again",
        (
            (
                "scheduler.machine.steps.joining",
                "    joined = None if whole.state in TASK_ENDS else joins.judge(fanout, now)\n",
                "    joined = joins.judge(fanout, now)\n"
                "    if whole.state in TASK_ENDS and joined is not None:\n"
                "        told = whole.id, run.id, whole.name, whole.round, joined.state, 0, 0, 0\n"
                "        ctx.emit(e.MembersJoined(*told))\n"
                "        joined = None\n",
            ),
        ),
        QUIET,
        _says("many: verdict-twice"),
    ),
    Mutant(
        "active-runs-ignored",
        (
            (
                "scheduler.machine.rules.gates.quota",
                "        return ACTIVE\n",
                "        pass\n",
            ),
        ),
        APPLIED,
        _says("narrow: over-active"),
    ),
    Mutant(
        "a-notice-is-used-twice",
        (
            (
                "scheduler.machine.steps.requiring",
                "        required.consume(ctx.store, serial, run.id)\n",
                "        pass\n",
            ),
        ),
        APPLIED,
        _says("needs: without"),
    ),
    Mutant(
        "nobody-waits-for-an-answer",
        (("scheduler.machine.rules.requirements", 'asked.state != "succeeded"', 'asked.state == "blocked"'),),
        APPLIED,
        _says("needs: unasked"),
    ),
    Mutant(
        "starts-ignored",
        (
            (
                "scheduler.machine.rules.gates.quota",
                "    known = namespaces.starts(view.store, view.namespace)\n",
                "    known = 0\n",
            ),
        ),
        (Step(60_000, 1_000, "leader-killed"),),
        _says("narrow: over-starts"),
    ),
    Mutant(
        "plan-date-of-utc",
        (
            (
                "scheduler.machine.steps.plan_dates",
                "    given = namespaces.plan_days_of(ctx.store, namespace)\n",
                "    given = ()\n",
            ),
        ),
        APPLIED,
        _says("narrow: wrong-date"),
    ),
    Mutant(
        "defaults-are-not-followed",
        (
            (
                "scheduler.machine.namespaces",
                "        editing.put(ctx, edit, judged, 0)\n",
                "",
            ),
        ),
        APPLIED,
        _says("narrow: not-followed"),
    ),
    Mutant(
        "a-notice-is-passed-over",
        (
            (
                "scheduler.machine.notices",
                "        elif is_meant(era.spec,",
                "        elif notice.serial % 3 and is_meant(era.spec,",
            ),
        ),
        QUIET,
        _says("arrivals: unheard"),
    ),
    Mutant(
        "an-end-is-passed-over",
        (
            (
                "scheduler.machine.steps.hearing",
                "    fires = after.judge(known).value is True\n",
                "    fires = end.id % 3 > 0 and after.judge(known).value is True\n",
            ),
        ),
        QUIET,
        _says("arrivals: not-followed"),
    ),
    Mutant(
        "a-part-is-enough",
        (("scheduler.model.all_of", "return member.judge(ends).value is True", "return True"),),
        QUIET,
        _says("arrivals: incomplete"),
    ),
    Mutant(
        "half-a-delay",
        (
            (
                "scheduler.machine.steps.delaying",
                "return min(anchor_ms + delay_ms, INSTANT_MS_MAX)",
                "return min(anchor_ms + delay_ms // 2, INSTANT_MS_MAX)",
            ),
        ),
        QUIET,
        _says("arrivals: wrong-distance"),
    ),
    Mutant(
        "once-a-second-late",
        (("scheduler.ticks.schedule", 'json_text({"at_ms": at_ms})', 'json_text({"at_ms": at_ms + 1_000})'),),
        STAGED,
        _says("ticks: unaccounted", "ticks: never-due"),
    ),
    Mutant(
        "one-of-both-is-enough",
        (
            (
                "scheduler.ticks.month_days",
                'either = join == "either" or',
                'either = join in ("either", "both") or',
            ),
        ),
        STAGED,
        _says("ticks: never-due"),
    ),
    Mutant(
        "a-start-is-forgotten",
        (
            (
                "scheduler.ticks.schedule",
                "        return EverySchedule(period_ms, start_ms)\n",
                "        return EverySchedule(period_ms, 0)\n",
            ),
        ),
        QUIET,
        _says("ticks: never-due", "ticks: unaccounted"),
    ),
    Mutant(
        "a-repeat-is-a-second-late",
        (
            (
                "scheduler.ticks.iso8601",
                "            instant_ms = self._anchor_ms + elapsed_ms\n",
                "            instant_ms = self._anchor_ms + elapsed_ms + 1_000\n",
            ),
        ),
        QUIET,
        _says("ticks: never-due", "ticks: unaccounted"),
    ),
    Mutant(
        "any-working-day-is-the-one",
        (
            (
                "scheduler.ticks.dated",
                "            return self._workday(_period_of(day, MONTHS[self._of])) == day\n",
                "            return self.is_worked(day)\n",
            ),
        ),
        STAGED,
        _says("ticks: never-due", "ticks: two-runs"),
    ),
    Mutant(
        "moved-a-second-late",
        (("scheduler.ticks.dated", "moved_s * 1000 + rest_ms", "moved_s * 1000 + rest_ms + 1_000"),),
        STAGED,
        _says("ticks: unaccounted", "ticks: never-due"),
    ),
    Mutant(
        "a-known-host-boots-unseen",
        (
            (
                "scheduler.machine.steps.booting",
                "(known is not None and known.boot_id == agent.boot_id)",
                "known is not None",
            ),
        ),
        (Step(4_000, 3_000, "agent-host-lost"), Step(40_000, 1_000, "leader-killed")),  # time to have it
        _says("boots: boot-without-run", "boots: boot-unheard"),
    ),
    Mutant(
        "its-end-is-in-it",
        (
            (
                "scheduler.ticks.schedule",
                "min(until_ms, self._until_ms - 1)",
                "min(until_ms, self._until_ms)",
            ),
            (
                "scheduler.ticks.schedule",
                "due_ms is None or due_ms >= self._until_ms",
                "due_ms is None or due_ms > self._until_ms",
            ),
            (
                "scheduler.ticks.schedule",
                "bisect_left(coming, self._until_ms)",
                "bisect_left(coming, self._until_ms + 1)",
            ),
        ),
        (Step(30_000, 1_000, "agent-killed"),),  # behind the end of the span
        _says("ticks: never-due"),
    ),
    Mutant(
        "the-zones-of-the-host",
        (
            (
                "scheduler.ticks.schedule",
                """"UTC"))) if pin is None else pinned""",
                """"UTC"))) if True else pinned""",
            ),
        ),
        LEADER_KILLED,
        _says("durable: disproved"),
    ),
)
