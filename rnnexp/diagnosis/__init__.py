"""Diagnosis of a network: measurements beside predictions of theory, verdicts, recommendations."""
