"""Commands: what stands between the options of the command line and the rooms that do the work."""
