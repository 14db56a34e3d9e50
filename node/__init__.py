"""One node's processes and nothing else: the composition root.

Promise: *core* (consensus, journal, machine) runs on one event loop with nothing beside it, so that no
request of a user can cause an election; *front* (HTTP, gateway, planner) may die and come back
without one. The supervisor's or the core's death ends the others.

Reading order: `config` (what a node is told), `identity` (what it is), `supervisor` and `process` (its
processes), `bridge` (the frames between core and front), `core`, `front_socket`, `pending`, `recent`,
`majority`, `state` (the machine as consensus sees it), `write_ahead`, `storage`, `front`, `link`,
`proposals`, `planner`; beside them `simulation`, `seeding`, `backup` and `restore` (offline).
"""
