"""One run, from a configuration to closed records. Configuration ends in `build`."""
