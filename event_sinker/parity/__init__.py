"""Compares a log table of the scraper in PostgreSQL with the event table that replaces it; see `command`."""
