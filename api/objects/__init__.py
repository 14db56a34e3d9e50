"""Objects that jobs refer to, of any kind, for the routes: read, judged, written.

Promise: no file here knows a kind by name; a kind is a segment of a path (`scheduler.model.objects`).

Reading order: reading.py, judging.py (what an act would do, before it is proposed), writing.py; beside this
room ../references.py (what the state says of references, in words).
"""
