"""The agent's eyes: it looks into folders for triggers that wait for files, and tells what it sees.

Promise: each file that fits and stood still for as long as its trigger asks is told to the cluster until
that knows it, and told as gone once it is; nothing here decides whether a file fires, or keeps anything on
the disk: what is known of a folder's files stands in the state, and comes with each registration.

Reading order: `facts` (what a file is), `folder` (which files of a folder are complete; no clock, no disk),
`inotify` (when to look), `moving` (what is done after a run), `watcher` (all of it together).
"""
