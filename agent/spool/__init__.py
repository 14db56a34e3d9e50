"""The spooler: the process that owns an agent's processes, and what the agent knows of it.

Reading order: `wire` (the bytes between the two), `server` (its life, its leases, its journal), `child` (one
attempt), `survivors` (what a dead spooler left), `client` (the agent's side).
"""
