"""Reading a cloud store through its views: one way for SQLite and PostgreSQL."""
