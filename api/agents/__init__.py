"""The agents' sockets of a node: what is said over them, and to whom what was committed is told.

Promise: what an agent says reaches the log as commands that every node can apply, or not at all; what the log
says of an agent's work reaches it once, over one socket; nothing here decides anything about jobs. No agent
can make others wait, whatever it sends.

Reading order: `effects` (what a conversation asks for), `conversation` (the talk itself, without a socket),
`bounds`, `hello`, `recount`, `commands` (what it judges and speaks by), `socket` (reads, sends and keeps the
time for one conversation), `registry` (agent → socket, compared with the state), `assignment`, `dispatch`
(commits → messages), `fitness` (quorum and lag), `facts` (what conversations ask of the node), `gateway` (who
is let in; all of it together). `large_frames`, `newcomers`, `ownership`: limits and looks of their own.
"""
