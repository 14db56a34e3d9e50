"""The spooler: the process that owns an agent's processes, and what the agent knows of it.

Reading order: `wire` (the bytes between the two), `server` (its life and its leases), `journal` (what it must
not forget), `link` (its agent), `child` (one attempt), `survivors` (what a dead spooler left), `client` (the
agent's side).
"""
