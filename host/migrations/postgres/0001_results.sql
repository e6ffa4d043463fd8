-- What Sickbay remembers of its checks. All of it is in the schema `sickbay`, the first of the search path that Sickbay sets.

-- The one row that every commit takes its numbers from. Whoever has it locked is the only one who writes results, until his
-- commit: numbers rise in the order of the commits, and none is left out.
CREATE TABLE counter (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    -- The highest number that was ever given.
    last_seq bigint  NOT NULL,
    -- The sum of `results.bytes`.
    bytes    bigint  NOT NULL
);
INSERT INTO counter (last_seq, bytes) VALUES (0, 0);

-- Names are compared as bytes: an index does not depend on the locale of the server.
CREATE TABLE checks (
    check_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name     text COLLATE "C" NOT NULL UNIQUE
);

CREATE TABLE plugins (
    plugin_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name      text COLLATE "C" NOT NULL,
    version   text COLLATE "C" NOT NULL,
    UNIQUE (name, version)
);

-- No foreign keys: names are never removed, and a batch of 512 results would lock 1,024 of them.
-- Old rows go all the time: autovacuum comes early, so that their room is used again.
CREATE TABLE results (
    seq          bigint   PRIMARY KEY,
    -- Milliseconds since 1970-01-01T00:00:00Z.
    scheduled_at bigint   NOT NULL,
    check_id     integer  NOT NULL,
    plugin_id    integer  NOT NULL,
    -- What the row counts for `bytes_max` of `[retention]`.
    bytes        integer  NOT NULL,
    -- 0 unknown, 1 ok, 2 warning, 3 critical.
    status       smallint NOT NULL,
    -- Whether the confirmed status changed with this result.
    transition   boolean  NOT NULL,
    -- The rest, a JSON object. Not `jsonb`: that refuses a NUL in a text, and would change numbers.
    body         text     NOT NULL
) WITH (
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.05,
    toast.autovacuum_vacuum_scale_factor = 0.02
);

-- At most one result per check and scheduled time.
CREATE UNIQUE INDEX results_by_time ON results (scheduled_at, check_id);

-- The history of one check. The log has what changed of a page, not the page: the check may come first here.
CREATE INDEX results_by_check ON results (check_id, seq);

-- What retention removes, each in its own order of age.
CREATE INDEX results_ok_by_time ON results (scheduled_at) WHERE status = 1;
CREATE INDEX results_other_by_time ON results (scheduled_at) WHERE status <> 1;

-- The small values that a plugin keeps for a check. A key is any text, also with a NUL: its bytes.
CREATE TABLE plugin_states (
    check_id integer NOT NULL,
    key      bytea   NOT NULL,
    value    bytea   NOT NULL,
    PRIMARY KEY (check_id, key)
) WITH (autovacuum_vacuum_scale_factor = 0.05);
