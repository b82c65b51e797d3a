"""Verbs for people at a terminal: typer and rich live here and nowhere else in the app."""
