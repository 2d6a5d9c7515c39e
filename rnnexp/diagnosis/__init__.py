"""What a run says: measurements put beside predictions, verdicts, recommendations."""
