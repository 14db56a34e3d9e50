"""What happens to an attempt on this agent, from Assign to Ack. In the loop, synchronous, no sockets.

1. Assign: the claim goes to the journal, then to the node (again until answered, with the same claim id). An
   attempt that is held or has ended here is not taken a second time (`claims`).
2. Grant: waits for its due instant by the node's clock, then goes to its executor, once. A grant that is
   void by then ends as gone (`starting`). While it waits long, the claim is sent again, which the cluster
   answers with the same grant or a refusal.
3. The end goes to the journal, then to the node (and on every connection) until the Ack; only when it is on
   disk the spooler may forget its own record (`reports`).
4. A new session takes over what runs in the spooler, and what an executor has still, and reports the ends
   that it finds there. Claims of the old session that never reached either are gone: no process was made for
   them, and none will be (`recovery`).
5. An agent that is told to end claims nothing more, and goes when what it claimed has surely started: what it
   was granted and does not start is lost (rule 4).
6. A spooler that died took its attempts with it (its successor kills the rest): what the successor neither
   runs nor has an end of is gone.

Reading order: `claimed` (what is remembered of one attempt), `reports`, `starting`, `claims`, `recovery`: of
these each knows those before it; `worker` (all of them together, and who hears which message). `due`,
`environment`: parts of starting.
"""
