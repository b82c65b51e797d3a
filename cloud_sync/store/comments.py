"""What PostgreSQL says of each column: the texts of columns.toml as column comments."""

import tomllib
from typing import Any

from cloud_sync.store.dialect import read_script

FILE = "columns.toml"

#: Tables, views and partitions with their columns; a partition has the texts of its table.
_COLUMNS = """
SELECT coalesce(parent.relname, c.relname), quote_ident(c.relname), a.attname
FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_inherits i ON i.inhrelid = c.oid
LEFT JOIN pg_class parent ON parent.oid = i.inhparent
WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v')
"""


def write_comments(db: Any) -> None:
    """Comment the columns of our tables and views; what else stands in the schema is not ours."""
    texts = tomllib.loads(read_script(FILE))
    statements = []
    for relation, name, column in db.execute(_COLUMNS).fetchall():
        known = {**texts["columns"], **texts[relation]} if relation in texts else {}
        if column in known:
            quoted = known[column].replace("'", "''")
            statements.append(f"COMMENT ON COLUMN {name}.\"{column}\" IS '{quoted}'")
    db.execute(";".join(statements))
