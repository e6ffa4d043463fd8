-- What Sickbay remembers of its checks.

-- "SICK": says whose file this is, so that a database of another program is never touched.
PRAGMA application_id = 1397310283;

CREATE TABLE checks (
    check_id INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE plugins (
    plugin_id INTEGER PRIMARY KEY,
    name      TEXT NOT NULL,
    version   TEXT NOT NULL,
    UNIQUE (name, version)
) STRICT;

CREATE TABLE results (
    -- One sequence of the whole host. AUTOINCREMENT: a number is never given twice, also after pruning.
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    check_id     INTEGER NOT NULL REFERENCES checks,
    plugin_id    INTEGER NOT NULL REFERENCES plugins,
    -- Milliseconds since 1970-01-01T00:00:00Z.
    scheduled_at INTEGER NOT NULL,
    -- 0 unknown, 1 ok, 2 warning, 3 critical.
    status       INTEGER NOT NULL,
    -- 1 where the confirmed status changed with this result.
    transition   INTEGER NOT NULL,
    -- The rest, a JSON object.
    body         TEXT NOT NULL
) STRICT;

-- Every index below grows at its end: a batch touches a few pages of each. With the check in front, a batch of 512
-- results of 512 checks would rewrite 512 pages of the index, at nine times the cost of the whole batch.

-- At most one result per check and scheduled time.
CREATE UNIQUE INDEX results_by_time ON results (scheduled_at, check_id);

-- The history of one check, by blocks of 16384 numbers: a reader looks into one block after another, newest first.
CREATE INDEX results_by_block ON results (seq >> 14, check_id);

-- What retention removes, each in its own order of age.
CREATE INDEX results_ok_by_time ON results (scheduled_at) WHERE status = 1;
CREATE INDEX results_other_by_time ON results (scheduled_at) WHERE status <> 1;

-- The small values that a plugin keeps for a check.
CREATE TABLE plugin_states (
    check_id INTEGER NOT NULL REFERENCES checks,
    key      TEXT NOT NULL,
    value    BLOB NOT NULL,
    PRIMARY KEY (check_id, key)
) STRICT, WITHOUT ROWID;
