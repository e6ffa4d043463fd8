-- Documents that the events tell, numbered in the one sequence with the results; null: it is not told. And documents count for `bytes_max`
-- of `[retention]`, as results do.

ALTER TABLE documents
    ADD COLUMN seq bigint,
    -- As `ROW_BYTES` and the body of a result: its other columns, its header, and its place in the indexes.
    ADD COLUMN bytes integer NOT NULL GENERATED ALWAYS AS (200 + octet_length(id) + octet_length(parent) + octet_length(body)) STORED;

CREATE UNIQUE INDEX documents_by_seq ON documents (seq) WHERE seq IS NOT NULL;

-- From here on `bytes` of the counter is the sum of both tables.
UPDATE counter SET bytes = counter.bytes + (SELECT coalesce(sum(documents.bytes), 0)::bigint FROM documents);
