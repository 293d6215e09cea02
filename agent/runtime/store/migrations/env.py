"""What Alembic runs for each migration; the connection, in its transaction, is given by `store.version`.

A new migration is a new numbered file in `versions/`, with its number as `store.version.SCHEMA_VERSION`.
Batch mode lets SQLite change columns by rebuilding the table.
"""

from alembic import context

from agent.runtime.store.schema import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, render_as_batch=True)
context.run_migrations()
