"""The revisions of the schema, in Alembic's form. A revision that was released is never changed."""
