"""The systems that jobs are taken over from: a file each, with `read(sources, wishes)`, and its line here.

A format knows no other. The first lines of its file say what of the source's own rules it keeps, and how that
was found. `crontab` has a command of its own, since much of it depends on who has read it.
"""

from __future__ import annotations

from typing import NamedTuple


class Format(NamedTuple):
    what: str  #: what it reads, for help
    files: str  #: an example of the files
    in_folder: str = ""  #: which files of a folder are read: endings with blanks between them; "*": all


FORMATS = {
    "kubernetes": Format("CronJobs of Kubernetes, YAML or JSON.", "cronjobs.yaml", ".yaml .yml .json"),
    "systemd": Format("Timers of systemd, with the services that they start.", "units/", ".timer .service"),
    "dkron": Format("Jobs of Dkron, as its API gives them.", "dkron-jobs.json", ".json"),
    "chronos": Format("Jobs of Chronos, as its API gives them.", "chronos-jobs.json", ".json"),
    "rundeck": Format("Jobs of Rundeck, exported as YAML.", "rundeck-jobs.yaml", ".yaml .yml .json"),
    "js7": Format("Workflows of JS7, with their schedules and calendars.", "js7/", ".json"),
    "jobscheduler": Format("Jobs of SOS JobScheduler 1.x, as XML.", "live/", ".xml"),
    "jumpcloud": Format("Commands of JumpCloud, as its API gives them.", "commands.json", ".json"),
    "airflow": Format("Schedules of Airflow's DAGs, as its API gives them.", "dags.json", ".json"),
    "cronicle": Format("Events of Cronicle or xyOps.", "schedule.json", ".json .txt"),
    "anacron": Format("An anacrontab.", "/etc/anacrontab"),
    "runparts": Format("A folder of scripts, such as /etc/cron.daily.", "/etc/cron.daily", "*"),
}
