-- What the host keeps beside results: incidents and their timelines, silences, groups of alerts, what each sink was told, deliveries.
-- Ids and parents are compared as bytes.

CREATE TABLE documents (
    -- As `Kind` numbers them.
    kind   smallint NOT NULL,
    id     text COLLATE "C" NOT NULL,
    -- What it belongs to: the incident of a line of its timeline, the sink of a delivery. Empty where there is none.
    parent text COLLATE "C" NOT NULL,
    -- Milliseconds since 1970-01-01T00:00:00Z: the order in which a list shows them, and their age.
    at     bigint NOT NULL,
    -- True while it is still needed to decide: read at the start, never removed by age.
    open   boolean NOT NULL,
    -- The rest, a JSON object. Not `jsonb`, for the same reasons as in `results`.
    body   text NOT NULL,
    PRIMARY KEY (kind, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_scale_factor = 0.02);

CREATE INDEX documents_open ON documents (kind, id) WHERE open;
CREATE INDEX documents_by_time ON documents (kind, at, id);
CREATE INDEX documents_by_parent ON documents (kind, parent, at, id);
-- What retention removes.
CREATE INDEX documents_closed_by_time ON documents (at) WHERE NOT open;
