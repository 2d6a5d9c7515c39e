"""A sweep as one HTML page and four tables."""
