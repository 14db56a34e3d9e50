"""`python -m cluster.simulation`: consensus alone, over rows of bytes. See `cluster.simulation.command`."""

import sys

from cluster.simulation.command import main
from cluster.simulation.world import simulate

if __name__ == "__main__":
    sys.exit(main("cluster.simulation", {"bytes": simulate}))
