-- What the host keeps beside results: incidents and their timelines, silences, groups of alerts, what each sink was told, deliveries.

CREATE TABLE documents (
    -- As `Kind` numbers them.
    kind   INTEGER NOT NULL,
    id     TEXT NOT NULL,
    -- What it belongs to: the incident of a line of its timeline, the sink of a delivery. Empty where there is none.
    parent TEXT NOT NULL,
    -- Milliseconds since 1970-01-01T00:00:00Z: the order in which a list shows them, and their age.
    at     INTEGER NOT NULL,
    -- 1 while it is still needed to decide: read at the start, never removed by age.
    open   INTEGER NOT NULL,
    -- The rest, a JSON object.
    body   TEXT NOT NULL,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX documents_open ON documents (kind, id) WHERE open = 1;
CREATE INDEX documents_by_time ON documents (kind, at, id);
CREATE INDEX documents_by_parent ON documents (kind, parent, at, id);
-- What retention removes.
CREATE INDEX documents_closed_by_time ON documents (at) WHERE open = 0;
