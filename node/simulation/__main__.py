"""`python -m node.simulation`: stories of consensus alone and stories with jobs on top, in turns."""

import sys

from cluster.simulation import simulate
from cluster.simulation.command import main
from node.simulation.world import simulate_jobs

if __name__ == "__main__":
    sys.exit(main("node.simulation", {"bytes": simulate, "jobs": simulate_jobs}))
