"""Jobs of other systems: they fire as they fired there, and what is not taken over is told."""
