-- Documents that the events tell, numbered in the one sequence with the results; null: it is not told.

ALTER TABLE documents ADD COLUMN seq INTEGER;

CREATE UNIQUE INDEX documents_by_seq ON documents (seq) WHERE seq IS NOT NULL;
