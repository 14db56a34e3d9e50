"""What /openapi.json says about bodies, headers and replies: pydantic models with examples, for
documentation only.

Nothing is validated with these at run time: bodies are judged by `scheduler.model`, replies are made by
`api.views`, and a test compares real replies with these models. Reading order: `replies`, then the rest.
"""

from __future__ import annotations

from typing import Any

from api.schemas.approvals import ApprovalList
from api.schemas.asked import DRY_RUN as _DRY_RUN
from api.schemas.asked import FLAG as _FLAG
from api.schemas.asked import body as _body
from api.schemas.asked import fields as _fields
from api.schemas.asked import header as _header
from api.schemas.asked import query as _query
from api.schemas.asked import text as _text
from api.schemas.asked import whole as _whole
from api.schemas.audit import AuditEntryList
from api.schemas.backfills import Backfill, BackfillList
from api.schemas.examples import JOB, PARAMS, VARS
from api.schemas.expectations import Expectation, ExpectationList
from api.schemas.explained import InstantExplained, RunExplained
from api.schemas.namespaces import Namespace, NamespaceList
from api.schemas.notifications import ChannelTold, Effect, EffectList, Mute, MuteList, ReceiverList
from api.schemas.overview import Bulk, Overview, Table
from api.schemas.plan import Plan, PlanDate, TickChange
from api.schemas.proving import ProofList
from api.schemas.replies import (
    Agent,
    AgentList,
    AttemptList,
    Cluster,
    Job,
    JobList,
    LedgerEntryList,
    Paused,
    Problem,
    Run,
    RunList,
    Secret,
    SecretList,
    TaskMemberList,
    TickList,
    WorkList,
)
from scheduler.machine.agents import REASON_LETTERS_MAX
from scheduler.machine.tokens import NAMESPACES_MAX, ROLES
from scheduler.model.fields import NAME_PATTERN
from scheduler.model.secret_uses import GRANTS_MAX

NODE_NAME = "^[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$"


_NAMESPACE = _query("namespace", "Namespace; `default` where one is needed.")
_INDEX = {"type": "integer", "minimum": 0, "maximum": 1 << 62}
_WAIT = {"type": "string", "examples": ["10ms"], "maxLength": 40}
_FRESHNESS = [
    _query("consistency", "How fresh.", {"type": "string", "enum": ["linearizable", "stale"]}),
    _query("min_index", "Read once this node has applied that index.", _INDEX),
    _query(
        "index",
        "Blocking query: reply once something happened after that index, or when `wait` is over.",
        _INDEX,
    ),
    _query("wait", "How long at most, such as 30s.", _WAIT),
]
_PRUNE = _query("prune", "Delete what the source owns and does not name any more.", _FLAG)
_PRUNE_MAX = _query(
    "prune_max", "How many that may be; without it half of them, or 5.",
    {"type": "integer", "minimum": 0, "maximum": 100_000},
)  # fmt: skip
_KEY = _header("Idempotency-Key", "The same key with the same request is done once, for 24 h.")
_IF_MATCH = _header("If-Match", "ETag that the job must have.")
_IF_NONE_MATCH = _header("If-None-Match", "`*`: the job must not exist.")

_REASON = {"type": "string", "maxLength": 500}

read: dict[str, Any] = {"parameters": [_NAMESPACE, *_FRESHNESS]}
change: dict[str, Any] = {"parameters": [_NAMESPACE, _DRY_RUN, _KEY, _IF_MATCH]}
put_job: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN, _KEY, _IF_MATCH, _IF_NONE_MATCH],
    "requestBody": _body(JOB, yaml=True),
}
create_job: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN, _KEY],
    "requestBody": _body(JOB, yaml=True),
}
apply_jobs: dict[str, Any] = {
    "parameters": [
        _NAMESPACE, _DRY_RUN, _KEY, _query("source", "Where they come from."), _PRUNE, _PRUNE_MAX,
    ],
    "requestBody": _body({"objects": [VARS, JOB]}, yaml=True),
}  # fmt: skip
put_object: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN, _KEY, _IF_MATCH, _IF_NONE_MATCH],
    "requestBody": _body(VARS, yaml=True),
}

_STAGE = _query("stage", "The name of a staged apply, that its client makes up.", _text(100))
apply_jobs["parameters"] += [
    _STAGE,
    _query("slice", "The number of this slice, from 0 on.", {"type": "integer", "minimum": 0}),
    _query("commit", "Switch what was staged live, or with dry_run say what that changes; no body.", _FLAG),
    _query("slices", "How many slices were sent.", _whole(100_000)),
]
get_stage: dict[str, Any] = {"parameters": [{**_STAGE, "required": True}, *_FRESHNESS]}
drop_stage: dict[str, Any] = {"parameters": [{**_STAGE, "required": True}, _DRY_RUN]}
run_job: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN, _KEY, _query("wait", "Wait for the run's end, such as 30s.")],
    "requestBody": _body(
        {"params": PARAMS, "plan_date": "2026-12-31"}, required=False,
        schema=_fields(
            params={"type": ["object", "null"]}, plan_date={"type": ["string", "null"], "format": "date"},
            held={"type": "boolean"}, reason=_REASON, ignore_admission={"type": "boolean"},
            closed={"type": "boolean"},
        ),
    ),
}
deliver: dict[str, Any] = {
    "parameters": [
        _NAMESPACE, _DRY_RUN,
        _header("webhook-id", "Of `standard`: the delivery's id. Of `token`: the same, if there is one."),
        _header("webhook-timestamp", "Of `standard`: when it was signed, in seconds since 1970."),
        _header("webhook-signature", "Of `standard`: `v1,` and the HMAC-SHA256 of id, instant and body."),
        _header("X-Hub-Signature-256", "Of `github`: `sha256=` and the HMAC-SHA256 of the body."),
        _header("X-GitHub-Delivery", "Of `github`: the delivery's id."),
        _header("X-Hook-Token", "Of `token`: the secret; X-Gitlab-Token and a bearer are taken too."),
    ],
    "requestBody": _body({"ref": "refs/heads/main"}, required=False),
}  # fmt: skip
hand: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body({"reason": "the database is moved"}, required=False, schema=_fields(reason=_REASON)),
}
_MEMBER = _query("member", "Of a task that is divided: this member of it, not the whole.", _text(256))
task_hand: dict[str, Any] = {**hand, "parameters": [_DRY_RUN, _MEMBER]}
complete: dict[str, Any] = {
    "parameters": [_DRY_RUN, _MEMBER],
    "requestBody": _body(
        {"outcome": "succeeded", "message": "loaded 3 files", "outputs": {"rows": 3}},
        schema=_fields(
            "outcome",
            outcome={"type": "string", "enum": ["succeeded", "failed"]},
            message={"type": ["string", "null"], "maxLength": 500},
            outputs={
                "type": ["object", "null"],
                "additionalProperties": {"type": ["string", "number", "boolean"]},
            },
        ),
    ),
}
progress: dict[str, Any] = {
    "parameters": [_DRY_RUN, _MEMBER],
    "requestBody": _body(
        {"percent": 40, "text": "copying"},
        schema=_fields(
            percent={"type": ["integer", "null"], "minimum": 0, "maximum": 100},
            text={"type": ["string", "null"], "maxLength": 200},
        ),
    ),
}
_WHY = _text(500, pattern=r"\S")
_VERDICT = {"as": {"type": "string", "enum": ["succeeded", "failed"]}, "reason": _WHY}
override: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body(
        {"as": "succeeded", "reason": "loaded by hand"},
        schema={**_fields("as reason", reason=_WHY), "properties": _VERDICT},
    ),
}
_REVISION = {"anyOf": [{"enum": ["same", "latest"]}, _whole(1 << 53)]}
_PART = {
    "from_failed": {"type": "boolean"}, "from": _text(128), "until": _text(128),
    "params": {"type": ["object", "null"]}, "revision": _REVISION, "after": {"type": "boolean"},
    "held": {"type": "boolean"}, "reason": _REASON,
}  # fmt: skip
rerun: dict[str, Any] = {
    "parameters": [_DRY_RUN, _KEY],
    "requestBody": _body({"from_failed": True}, required=False, schema={**_fields(), "properties": _PART}),
}
skip_task: dict[str, Any] = {
    "parameters": [_DRY_RUN, _MEMBER],
    "requestBody": _body(
        {"reason": "not today", "pass": True}, required=False,
        schema={**_fields(reason=_REASON), "properties": {"reason": _REASON, "pass": {"type": "boolean"}}},
    ),
}
post_notice: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN, _KEY],
    "requestBody": _body(
        {"key": "plan_date", "expires": "2d", "plan_date": "2026-12-31"},
        schema=_fields(
            "key",
            key=_text(256),
            expires={"type": ["string", "null"]},
            plan_date={"type": ["string", "null"], "format": "date"},
        ),
    ),
}
sync_source: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN],
    "requestBody": _body(
        {"prune_max": 20}, required=False, schema=_fields(prune_max={"type": ["integer", "null"]})
    ),
}
delete_notice: dict[str, Any] = {"parameters": [_NAMESPACE, _DRY_RUN]}
bulk: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN, _KEY, *_FRESHNESS],
    "requestBody": _body(
        {"action": "pause", "labels": "team=data"},
        schema=_fields(
            "action",
            action={"type": "string", "enum": ["pause", "resume", "run"]},
            jobs={"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 1_000},
            namespace={"type": "string"},
            labels={"type": "string"},
            state={"type": "string", "enum": ["active", "paused", "disabled", "unplaceable"]},
            q={"type": "string"},
            failing={"type": "boolean"},
            last={"type": "string"},
            criticality={"type": "string"},
        ),
    ),
}
logs: dict[str, Any] = {"parameters": _FRESHNESS}  #: `wait`, with follow: for the attempt's start
events: dict[str, Any] = {"parameters": [_header("Last-Event-ID", "Go on after this event.")]}
_UNASKED = _query(
    "unasked", "Admit it though nobody was asked at its address: it does not run yet.", _FLAG
)
add_member: dict[str, Any] = {
    "parameters": [_DRY_RUN, _UNASKED],
    "requestBody": _body(
        {
            "name": "example-node", "address": "node.example.invalid:8322", "zone": "example-zone",
            "url": "https://node.example.invalid:8321",
        },
        schema=_fields(
            "name address zone url",
            name=_text(128, pattern=NODE_NAME),
            address=_text(500, pattern=r"^.+:[0-9]{1,5}$"),
            zone=_text(500),
            url=_text(500, pattern="^https?://"),
        ),
    ),
}
create_token: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body(
        {"name": "example-viewer", "role": "viewer"},
        schema=_fields(
            "name",
            name=_text(63, pattern="^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$"),
            role={"type": "string", "enum": list(ROLES)},
            namespaces={
                "type": "array", "items": {"type": "string", "pattern": NAME_PATTERN},
                "minItems": 1, "maxItems": NAMESPACES_MAX,
            },
            roles={
                "type": "object", "minProperties": 1, "maxProperties": NAMESPACES_MAX,
                "additionalProperties": {"type": "string", "enum": list(ROLES)},
            },
            ttl_s=_whole(10 * 366 * 86_400),
            uses=_whole(10_000),
            holder={"type": "string", "maxLength": 255},
            pool={"type": "string", "maxLength": 255},
        ),
    ),
}
release_agent: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body(
        {"installation": "0123456789abcdef0123456789abcdef"},
        schema=_fields("installation", installation={"type": "string"}),
    ),
}
drain_agent: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body(
        {"reason": "a new kernel"}, required=False,
        schema=_fields(
            reason={"type": ["string", "null"], "maxLength": REASON_LETTERS_MAX},
            until={"type": ["string", "null"], "format": "date-time"},
        ),
    ),
}
resume_agent: dict[str, Any] = {"parameters": [_DRY_RUN]}
demonstrate: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body({"kind": "lose-zone", "target": "zone-b", "stands": True}),
}
acknowledge: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body(
        {"until": "2199-01-31T23:00:00Z", "reason": "the database is being moved"},
        schema=_fields(
            "until", until={"type": "string", "format": "date-time"}, reason=_text(500, pattern=r"\S")
        ),
    ),
}
change_effect: dict[str, Any] = {"parameters": [_DRY_RUN]}
test_channel = change_effect
delete_token: dict[str, Any] = {"parameters": [_DRY_RUN]}
join: dict[str, Any] = {
    "parameters": [_UNASKED],
    "requestBody": _body({"name": "web-7", "pool": "web", "sha256": "SHA-256 of its own secret, in hex"}),
}
begin_session: dict[str, Any] = {
    "requestBody": _body({"token": "example-token"}, required=False),
}
remove_member: dict[str, Any] = {"parameters": [_DRY_RUN]}
backup: dict[str, Any] = {"parameters": _FRESHNESS}
transfer: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body(
        {"node": "example-node"}, required=False, schema=_fields(node={"type": ["string", "null"]})
    ),
}
activate: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body(
        {"format": 1}, required=False,
        schema=_fields(format={"type": ["integer", "null"], "minimum": 1, "maximum": (1 << 31) - 1}),
    ),
}
retime: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body(
        {"tzdata": "2026f"}, required=False, schema=_fields(tzdata={"type": ["string", "null"]})
    ),
}

_PATTERNS = {
    "type": "array", "maxItems": GRANTS_MAX,
    "items": _text(257, pattern="^([A-Za-z0-9._-]+/)?[A-Za-z0-9._*?-]+$"),
}  # fmt: skip
put_secret: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN],
    "requestBody": _body(
        {"value": "an example, and no secret", "grants": ["nightly-*"]},
        schema=_fields("value", value={"type": "string", "writeOnly": True}, grants=_PATTERNS),
    ),
}
grant_secret: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN],
    "requestBody": _body({"add": ["nightly-*"]}, schema=_fields(add=_PATTERNS, remove=_PATTERNS)),
}
change_secret: dict[str, Any] = {"parameters": [_NAMESPACE, _DRY_RUN]}
rotate_secret_key: dict[str, Any] = {"parameters": [_DRY_RUN]}
_PER_SECOND = {"type": "integer", "minimum": 1, "maximum": 1_000_000}
pause: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body(
        {"reason": "the database is moved", "until": "2199-01-31T23:00:00Z"},
        schema=_fields(
            "reason",
            reason=_text(500, pattern=r"\S"),
            until={"type": ["string", "null"], "format": "date-time"},
        ),
    ),
}
pause_job: dict[str, Any] = {
    **change,
    "requestBody": _body(
        {"reason": "the supplier is closed", "until": "2199-01-31T23:00:00Z"},
        required=False,
        schema=_fields(
            reason=_text(500, pattern=r"\S"), until={"type": ["string", "null"], "format": "date-time"}
        ),
    ),
}
_GONE = _body({"gone": True}, required=False, schema=_fields(gone={"type": "boolean"}))
unreserve: dict[str, Any] = {**change, "requestBody": _GONE}
resume: dict[str, Any] = {"parameters": [_DRY_RUN]}
close_plan: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN],
    "requestBody": _body(
        {"reason": "bank holiday"}, schema=_fields("reason", reason=_text(500, pattern=r"\S"))
    ),
}
change_tick: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN],
    "requestBody": _body(
        {"hold": True, "reason": "the tape robot is away"},
        schema=_fields(
            hold={"type": "boolean"}, release={"type": "boolean"}, skip={"type": "boolean"},
            move_to={"type": "string", "format": "date-time"}, params={"type": "object"},
            trigger={"type": "string"}, reason=_text(500),
        ),
    ),
}
start_backfill: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN, _KEY],
    "requestBody": _body(
        {"from": "2026-03-01", "to": "2026-03-31", "missing_only": True},
        schema=_fields(
            "from to",
            **{"from": {"type": "string"}},
            to={"type": "string"}, trigger={"type": ["string", "null"]}, missing_only={"type": "boolean"},
            again={"type": "boolean"}, closed={"type": "boolean"}, max_active=_whole(100),
            params={"type": ["object", "null"]}, reason={"type": "string", "maxLength": 500},
        ),
    ),
}  # fmt: skip
cancel_backfill: dict[str, Any] = {
    "parameters": [_NAMESPACE, _DRY_RUN],
    "requestBody": _body({"runs": True}, required=False, schema=_fields(runs={"type": "boolean"})),
}
open_plan: dict[str, Any] = {"parameters": [_NAMESPACE, _DRY_RUN]}
change_namespace: dict[str, Any] = {"parameters": [_DRY_RUN, _IF_MATCH]}
put_namespace: dict[str, Any] = {
    "parameters": [_DRY_RUN, _KEY, _IF_MATCH, _IF_NONE_MATCH],
    "requestBody": _body({"owner": "finance-oncall", "pools": ["etl"], "quotas": {"jobs": 200}}, yaml=True),
}
tick_limits: dict[str, Any] = {
    "parameters": [_DRY_RUN],
    "requestBody": _body(
        {"job": 100}, schema=_fields(job=_PER_SECOND, namespace=_PER_SECOND, cluster=_PER_SECOND)
    ),
}


def _replies(model: type) -> dict[int | str, dict[str, Any]]:
    return {
        200: {"model": model, "description": "OK"},
        422: {"model": Problem, "description": "api/description.py says what else is answered"},
    }


job_replies = _replies(Job)
jobs_replies = _replies(JobList)
run_replies = _replies(Run)
runs_replies = _replies(RunList)
ticks_replies = _replies(TickList)
instant_replies = _replies(InstantExplained)
explained_replies = _replies(RunExplained)
plan_replies = _replies(Plan)
tick_change_replies = _replies(TickChange)
backfill_replies = _replies(Backfill)
backfills_replies = _replies(BackfillList)
plan_date_replies = _replies(PlanDate)
pause_replies = _replies(Paused)
namespace_replies = _replies(Namespace)
namespaces_replies = _replies(NamespaceList)
agent_replies = _replies(Agent)
agents_replies = _replies(AgentList)
work_replies = _replies(WorkList)
proofs_replies = _replies(ProofList)
effect_replies = _replies(Effect)
mutes_replies = _replies(MuteList)
mute_replies: dict[int | str, dict[str, Any]] = {201: {"model": Mute, "description": "Created"}}
receivers_replies = _replies(ReceiverList)
channel_replies: dict[int | str, dict[str, Any]] = {201: {"model": ChannelTold, "description": "Created"}}
secret_replies = _replies(Secret)
secrets_replies = _replies(SecretList)
outbox_replies = _replies(EffectList)
expectations_replies = _replies(ExpectationList)
expectation_replies = _replies(Expectation)
cluster_replies = _replies(Cluster)
attempts_replies = _replies(AttemptList)
members_replies = _replies(TaskMemberList)
approvals_replies = _replies(ApprovalList)
audit_replies = _replies(AuditEntryList)
ledger_replies = _replies(LedgerEntryList)
overview_replies = _replies(Overview)
table_replies = _replies(Table)
bulk_replies = _replies(Bulk)
