"""What SQL says: tables of integers and NULL in sqlite, one query, rows back as dicts. For values of 64 bits."""

import sqlite3
from collections.abc import Mapping, Sequence

from tests.relations_world import Given, valid_rows


def queried(sql: str, tables: Mapping[str, Given], parameters: Sequence[int] = ()) -> list[dict]:
    """The answer to ``sql`` over the valid rows of ``tables``."""
    connection = sqlite3.connect(":memory:")
    try:
        for name, given in tables.items():
            names = [column.name for column in given.columns]
            connection.execute(f"CREATE TABLE {name} ({', '.join(f'{n} INTEGER' for n in names)})")
            connection.executemany(
                f"INSERT INTO {name} VALUES ({', '.join('?' * len(names))})",
                [[row[n] for n in names] for row in valid_rows(given.rows)],
            )
        cursor = connection.execute(sql, parameters)
        titles = [description[0] for description in cursor.description]
        return [dict(zip(titles, row, strict=True)) for row in cursor.fetchall()]
    finally:
        connection.close()
