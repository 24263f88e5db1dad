# look.py: what the database of readings is like, as JSON: SQLite's integrity_check, and for each topic the numbers that
# there are rows of, as ranges.
import json
import os
import sqlite3

path = '/var/lib/damselfly/damselfly.db'
found = {'integrity': 'ok', 'rows': {}}
if os.path.exists(path):
    db = sqlite3.connect(path, timeout=5)
    found['integrity'] = db.execute('PRAGMA integrity_check').fetchone()[0]
    if db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'rows'").fetchone()[0]:
        for topic, n in db.execute('SELECT DISTINCT topic, n FROM rows ORDER BY topic, n'):
            ranges = found['rows'].setdefault(topic, [])
            if ranges and ranges[-1][1] == int(n) - 1:
                ranges[-1][1] = int(n)
            else:
                ranges.append([int(n), int(n)])
print(json.dumps(found))
