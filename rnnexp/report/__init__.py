"""Reports for people: a run in the terminal, a sweep as one HTML page (`python -m rnnexp.report`)."""
