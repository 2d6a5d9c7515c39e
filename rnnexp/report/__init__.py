"""Reports for people: a run in the terminal, a sweep as one HTML page (`rnnexp report`)."""
