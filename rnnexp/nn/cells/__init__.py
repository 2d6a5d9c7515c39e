"""What the configuration knows of each cell."""
