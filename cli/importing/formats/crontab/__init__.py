"""From a crontab to jobs. Pure: text in, job mappings in the public shape and remarks by line out.

Rules of this package:

1. The jobs do what cron did: the same instants in the same zone, the same shell, environment, directory and
   stdin, runs that may overlap, and no catch-up of what was missed.
2. A line is either taken whole or reported as a problem with its number. What is taken with a difference is
   a note. What was guessed is said, and how to say otherwise.
3. Lines that do the same thing are one job with a trigger for each, named after their command. So the same
   lines in any order are the same jobs, and a line that left, moved or got another schedule never leaves a
   second job behind that runs beside it.
4. Environment lines hold for the lines below them, as in cron. Cron expands no variables in them, and
   neither does this.

Reading order: reading (lines), dialects (how crons differ), users (the sixth word), names (jobs), folder
(/etc/cron.d).
"""

from cli.importing.formats.crontab.dialects import DIALECTS as DIALECTS
from cli.importing.formats.crontab.folder import parse_folder as parse_folder
from cli.importing.formats.crontab.names import family as family
from cli.importing.formats.crontab.reading import CrontabImport as CrontabImport
from cli.importing.formats.crontab.reading import parse_crontab as parse_crontab
