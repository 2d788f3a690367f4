"""Notes, proposals, annotations, users and events, in SQLite or PostgreSQL."""
