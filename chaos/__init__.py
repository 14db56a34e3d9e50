"""The chaos harness: breaks a cluster on purpose and judges what it did meanwhile.

Promise: a black box. It knows processes, links and HTTP, and imports nothing of the product, so that it
can test any cluster and its oracle errs on its own. A fault counts only while a canary sees it; a driver
that cannot run here says why and how to get it; nothing skips silently.

Reading order of what breaks things: `faults` (every fault as a frozen record; a plan is made of them),
`programs`, `nodes` and `agents` (the processes), `cluster` (all of them, by zone, over one of three kinds
of links), `nemesis` (a driver for each kind of fault), `doctor` (which drivers can run here).

Reading order of what judges: `history` (what happened, on one clock), `actions` (what a plan may do, by
role), `plan`, `scenarios`, `workload` (what runs meanwhile: `client`, `askers` who change jobs and start
runs, `workflows`, `many`, `windows`, `approvals`, `completions`, `operators` who pause and drain, and
`receiver`, who is told of failures), `observer` (what the nodes say meanwhile), `pace` (how fast the machine
is), `run` (the conductor), `collect` (what the product says in the end), `case` (a finished run as data),
`checkers`, `report`, `suite` (several runs, one verdict), `abreast` (several at once), `commands`.
"""
