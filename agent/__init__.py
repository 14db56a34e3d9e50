"""An agent: runs tasks on one host, starts nothing without a committed grant, forgets nothing it ran.

Promises:

1. An attempt starts at most once, only after its grant, never before its due instant by the node's
   clock and never later than the grant is valid.
2. A claim is on disk before it is sent, and so is every end before it is reported; an end is reported
   until a node acknowledges its commit.
3. Running work survives the death and the upgrade of the agent: its processes belong to the spooler.
4. A process group ends with its attempt: on cancel, on timeout, at the end of the lease, at its exit.
5. What is not known is never invented: `gone` is said only of what surely runs no more.

Reading order: `scheduler.protocol` (the talk), config, work/ (what happens to an attempt), journal and
records (what is kept), connection (the socket to a node), clock (when), executors/ (how),
history and recount (what a restored cluster is told), identity and key (who it is), privacy,
spool/ (the process that owns the processes), output, runtime (all of it put together).
"""

SOFTWARE = "0.1.0"
