"""The tables of a review project. Times are UTC in ISO format, lists and mappings JSON.

Nothing that a person did is overwritten: an item is never changed but succeeded by another, and
:data:`event` only grows. Events hold ids, never text.
"""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

VERSION = 2
"""Of these tables; :mod:`review.store.migrations` brings older ones up to it."""

metadata = MetaData()

meta = Table(
    "meta",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("value", Text, nullable=False),
)
"""The schema's version, the label set, the settings."""

note = Table(
    "note",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("ext", Text, nullable=False, unique=True),  # the report's id
    Column("text", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("patient", Text),
    Column("source", Text, nullable=False),
    Column("row", Integer, nullable=False),
    Column("near", String(32), nullable=False),  # equal for near-copies
    Column("meta", Text, nullable=False),
    Column("added", String(32), nullable=False),
)
"""A report. Its text never changes."""
Index("note_near", note.c.near)

queue = Table(
    "queue",
    metadata,
    Column("note", ForeignKey("note.id"), primary_key=True),
    Column("rank", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("blind", Boolean, nullable=False),  # drawn at random; proposals stay hidden
    Column("wanted", Integer, nullable=False),  # annotators
    Column("free", Integer, nullable=False),  # of these, places not taken
    Column("state", String(16), nullable=False),  # new, open, done, skipped, final
)
"""The order of work: one row per note."""
Index("queue_free", queue.c.rank, sqlite_where=queue.c.free > 0, postgresql_where=queue.c.free > 0)
Index("queue_state", queue.c.state, queue.c.note)

run = Table(
    "run",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("sha256", String(64), nullable=False, unique=True),  # of the file
    Column("label_set", String(64), nullable=False),
    Column("notes", Integer, nullable=False),
    Column("round", Integer),
    Column("at", String(32), nullable=False),
)
"""What a labeler said of many notes: one imported file."""

said = Table(
    "said",
    metadata,
    Column("run", ForeignKey("run.id"), primary_key=True),
    Column("note", ForeignKey("note.id"), primary_key=True),
    Column("proposals", Text, nullable=False),
    Column("weakest", Float, nullable=False),
    Column("reason", Text, nullable=False),
)
"""What one run said of one note: its proposals."""
Index("said_note", said.c.note, said.c.run)

assignment = Table(
    "assignment",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("note", ForeignKey("note.id"), nullable=False),
    Column("person", ForeignKey("person.id"), nullable=False),
    Column("role", String(16), nullable=False),  # annotate, adjudicate
    Column("state", String(16), nullable=False),  # open, done, skipped
    Column("blind", Boolean, nullable=False),
    Column("run", ForeignKey("run.id")),  # whose proposals were shown
    Column("version", Integer, nullable=False),
    Column("why", Text),  # it was skipped
    Column("opened", String(32), nullable=False),
    Column("closed", String(32)),
    UniqueConstraint("note", "person", "role"),
)
"""One person's work on one note."""
Index("assignment_person", assignment.c.person, assignment.c.role, assignment.c.state)

item = Table(
    "item",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("assignment", ForeignKey("assignment.id"), nullable=False),
    Column("live", Boolean, nullable=False),
    Column("state", String(16), nullable=False),  # open, kept, changed, added, deleted
    Column("body", Text, nullable=False),
    Column("first", Integer),  # the proposal that it goes back to, by its id
)
"""One thing said of a note. A change makes a new row and lays the old one to rest."""
Index("item_assignment", item.c.assignment, item.c.live)

event = Table(
    "event",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", String(32), nullable=False),
    Column("person", Integer),
    Column("note", Integer),
    Column("assignment", Integer),
    Column("kind", String(24), nullable=False),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("step", String(64)),
    Column("undoes", Integer),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    UniqueConstraint("person", "step"),
)
"""All that was done, each event with the hash of the one before."""
Index("event_person", event.c.person, event.c.id)
Index("event_note", event.c.note, event.c.id)

person = Table(
    "person",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("role", String(16), nullable=False),
    Column("password", Text),  # argon2id; none where only a proxy lets the person in
    Column("disabled", Boolean, nullable=False),
    Column("created", String(32), nullable=False),
    # Up to this rank of the queue the person has been given all that is free.
    Column("passed", Integer, nullable=False, server_default="0"),
)

comment = Table(
    "comment",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("note", ForeignKey("note.id"), nullable=False),
    Column("person", ForeignKey("person.id"), nullable=False),
    Column("at", String(32), nullable=False),
    Column("text", Text),  # none where its author took it back
)
"""What people say to each other about a note."""
Index("comment_note", comment.c.note)

session = Table(
    "session",
    metadata,
    Column("token", String(64), primary_key=True),  # SHA-256 of what the browser holds
    Column("person", ForeignKey("person.id"), nullable=False),
    Column("form", String(64), nullable=False),  # the token that its forms carry
    Column("created", Float, nullable=False),
    Column("seen", Float, nullable=False),
)

attempt = Table(
    "attempt",
    metadata,
    Column("key", String(128), primary_key=True),  # an account or an address
    Column("failed", Integer, nullable=False),
    Column("last", Float, nullable=False),
    Column("until", Float, nullable=False),
)

phrase = Table(
    "phrase",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("label", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("context", Text, nullable=False),
    Column("found", Integer, nullable=False),
    Column("state", String(16), nullable=False),  # open, kept, discarded
    Column("person", Integer),
    UniqueConstraint("label", "text"),
)
"""Silver phrases: what a label was given for."""
Index("phrase_state", phrase.c.state, phrase.c.id)

model = Table(
    "model",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", Text, nullable=False),
    Column("version", String(64), nullable=False),
    Column("files", Text, nullable=False),
    Column("size", Integer, nullable=False),
    Column("added", String(32), nullable=False),
    Column("chosen", Boolean, nullable=False),
    UniqueConstraint("name", "version"),
)
"""Model folders in the model store, by the hash of their contents."""

rounds = Table(
    "rounds",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("run", ForeignKey("run.id")),
    Column("model", Text, nullable=False),
    Column("trained_on", Integer, nullable=False),
    Column("at", String(32), nullable=False),
)
"""Rounds of training."""
