"""The ground floor: checks of arguments, devices, signals, files, provenance."""
