"""HTTP: what users, agents and the cockpit talk to. Asks and tells through one small protocol,
`ports.Scheduler`.

Promise: every reply is either what was asked or an RFC 9457 problem that says what to do; a read is
linearizable unless the caller asked for less; a write is answered after its commit; no request can cost
more than its limits (`door`). Nothing here decides anything about jobs: commands go to the log.

Reading order: `ports` (what a node is to us), `problems` (every error), `door` (limits, access, index: what
each request passes), `call` (one request as the routes see it), `consistency` (how fresh a read is),
`views` (the JSON shapes), `jobs/` (their bodies, writes and reads), `routes/` (a file per noun), `commits`
(one subscription, many listeners), `known_jobs`, `head_start` and `known_defaults` (what a run that a person
starts, and a job that is put, need to know, kept until a commit changes it), `agents/` (the agents' sockets),
`backups`, `app` (all of it together).
"""
