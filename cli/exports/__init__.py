"""Jobs of ours, written for another scheduler. Pure: a job in the public shape in, text and notes out.

Promise: what is written is due at the same instants there and runs the same command, or `NotSayable` says
what of the job cannot be said. What is lost beside that (retries, what is caught up) is a note.

Reading order: plain (what of a job can be said elsewhere at all), then a file a format: crontab, kubernetes.
"""

from __future__ import annotations

from cli.exports import crontab, kubernetes

FORMATS = {"crontab": crontab.written, "kubernetes": kubernetes.written}
