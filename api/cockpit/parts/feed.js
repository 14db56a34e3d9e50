// The one event stream: in a shared worker for all tabs of a browser, or in the page where there is none.
// Events are handed on in bundles, so that a thousand a second cost a page ten messages. A stream that the browser has
// given up (the node closed it, or refused it) is opened anew after the last id, later each time.

const TYPES = [
  "agent_connected",
  "agent_disconnected",
  "agent_drained",
  "agent_resumed",
  "approval_answered",
  "approval_asked",
  "attempt_assigned",
  "attempt_awaiting",
  "attempt_completed",
  "attempt_ended",
  "attempt_progressed",
  "attempt_running",
  "attempt_unreachable",
  "backfill_began",
  "backfill_ended",
  "backfill_moved",
  "delivered",
  "difference_found",
  "difference_gone",
  "effect_acknowledged",
  "effect_dropped",
  "effect_escalated",
  "effect_given_up",
  "effect_muted",
  "effect_queued",
  "effect_sent",
  "expectation_acknowledged",
  "expectation_met",
  "expectation_unmet",
  "finally_begun",
  "job_deleted",
  "job_paused",
  "job_left_behind",
  "job_put",
  "job_resumed",
  "led",
  "locks_given_back",
  "locks_taken",
  "members_fixed",
  "members_joined",
  "muted",
  "node_lost",
  "file_arrived",
  "file_moved",
  "folder_troubled",
  "notice_deleted",
  "notice_posted",
  "object_deleted",
  "object_put",
  "overload_began",
  "overload_ended",
  "paused",
  "plan_closed",
  "plan_dates_closed",
  "plan_opened",
  "receiver_failing",
  "receiver_recovered",
  "resumed",
  "round_begun",
  "round_ended",
  "run_created",
  "run_ended",
  "run_held",
  "run_held_long",
  "run_overridden",
  "run_released",
  "run_started",
  "run_waits",
  "secret_changed",
  "secret_deleted",
  "source_asked",
  "source_reported",
  "task_begun",
  "task_due",
  "task_ended",
  "task_held",
  "task_queued",
  "task_released",
  "tick_changed",
  "tick_decided",
  "token_withdrawn",
  "unmuted",
];
const BUNDLE_MS = 150, BUNDLE_MAX = 5000, AGAIN_LEAST_MS = 500, AGAIN_MOST_MS = 8000;

export class Feed {
  constructor(tell) {
    this.tell = tell;
    this.source = null;
    this.last = "";
    this.state = "off";
    this.bundle = [];
    this.failures = 0;
    this.timer = null;
  }

  open(after = "") {
    if (this.source || this.timer) return;
    if (after) this.last = after;
    this.connect();
  }

  close() {
    clearTimeout(this.timer);
    this.timer = null;
    this.source?.close();
    this.source = null;
    this.last = "";
    this.say("off");
  }

  connect() {
    this.timer = null;
    const query = new URLSearchParams({ types: TYPES.join(",") });
    if (this.last) query.set("after", this.last);
    const source = this.source = new EventSource(`/v1/events?${query}`);
    source.onopen = () => { this.failures = 0; this.say("live"); };
    source.onerror = () => {
      if (source !== this.source) return;
      this.say("away");
      if (source.readyState !== EventSource.CLOSED) return; // the browser tries again by itself
      this.source = null;
      const wait = Math.min(AGAIN_MOST_MS, AGAIN_LEAST_MS * 2 ** this.failures) * (0.5 + Math.random());
      this.failures += 1;
      this.timer = setTimeout(() => this.connect(), wait);
    };
    source.addEventListener("hello", (message) => { this.last = message.lastEventId; });
    source.addEventListener("reset", (message) => { this.last = message.lastEventId; this.flush(); this.tell({ kind: "reset" }); });
    for (const type of TYPES) source.addEventListener(type, (message) => {
      this.last = message.lastEventId;
      if (!this.bundle.length) setTimeout(() => this.flush(), BUNDLE_MS);
      this.bundle.push({ type, ...JSON.parse(message.data) });
      if (this.bundle.length >= BUNDLE_MAX) this.flush();
    });
  }

  flush() {
    if (!this.bundle.length) return;
    this.tell({ kind: "events", events: this.bundle, last: this.last });
    this.bundle = [];
  }

  say(state) {
    if (state === this.state) return;
    this.state = state;
    this.tell({ kind: "state", state });
  }
}
