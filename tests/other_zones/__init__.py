"""A node on a host with a later tzdata, in which clocks of Berlin show what those of Kolkata do."""
