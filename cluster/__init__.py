"""Consensus: bytes in, the same bytes in the same order on every node. Knows no jobs.

Promise: what one node has applied is applied at the same place on every other, through crashes of
processes and machines, partitions, full disks and delayed messages; a node that cannot keep this stops.

Reading order: machine (what the log drives), consensus (one member), standing (how it stands), intake and
batcher (proposals become entries), raft, elections and hardening (pysyncobj made safe), library (pysyncobj
itself), journal, segments and disk, membership, roster, changes and questions, restore and progress (state
and log), history and renewal (offline), compaction, exchange, copies, pulls and incoming (whole states,
given and taken), links, wire, stream, tcp with handshake, dials and accepted (both ends of each connection),
tls and authority (who is at the other end), reactor, turns (how long the loop was away), simulation.

Use, in the core process:

    reactor = Reactor()
    links = TcpLinks(reactor, LinkSettings(listen="127.0.0.1:8322", tls=None, insecure=False, dial={}))
    consensus = Consensus(
        ClusterSettings(cluster=uid, name="node-1", uid=node_uid, address="127.0.0.1:8322",
                        zone="zone-a", url=url,
                        members=[Founder("node-1", "127.0.0.1:8322", "zone-a", url), ...],
                        journal_dir=data / "journal", copy_dir=data / "copies", joining=False),
        machine,                                  # a StateMachine
        links,
        wall_ms=lambda: time.time_ns() // 1_000_000,
        on_role=lambda role: ...,                 # Role.LEADER | FOLLOWER | CANDIDATE
        on_lead=lambda: lead_command_bytes,       # becomes the first regular entry of a leadership
        on_fatal=lambda reason: ...,              # removed, or wiped: print it and end the process
        local_status=lambda: {"free_bytes": ...}, # seen by the others as PeerInfo.status
    )
    reactor.add(unix_socket, on_readable)         # the bridge to the front; it calls consensus.propose
    reactor.run(consensus.turn)                   # until reactor.stop(); an exception is fatal
    consensus.close()

A proposal is done when the machine applies it on this node; `propose` may lose it (a leader change), so
whoever proposed sends it again and the state drops duplicates.
"""
