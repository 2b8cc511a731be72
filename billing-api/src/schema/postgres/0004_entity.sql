-- What every described entity shares: words to be found by, and fields organisations add.

-- The words of every record that search looks into, written with the record. Folded and split
-- by the program, so that both engines find the same.
CREATE TABLE search_entry (
    seq BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    record_id UUID NOT NULL,
    entity TEXT NOT NULL,
    organisation_id UUID NOT NULL,
    title TEXT NOT NULL,
    words TEXT NOT NULL
);
CREATE UNIQUE INDEX search_entry_record ON search_entry (record_id);
-- For those with few records, whatever word they look for; and the newest of each, for words that
-- most records have.
CREATE INDEX search_entry_organisation ON search_entry (organisation_id, entity, seq);

-- Only in this engine: the index over the words.
-- And over whose they are. What is not sorted in yet stays short, since a search reads it whole.
ALTER TABLE search_entry ADD COLUMN vector TSVECTOR GENERATED ALWAYS AS (to_tsvector('simple', words) || array_to_tsvector(ARRAY['@' || organisation_id::text])) STORED;
CREATE INDEX search_entry_vector ON search_entry USING GIN (vector) WITH (gin_pending_list_limit = 512);
CREATE INDEX customer_custom ON customer USING GIN (custom jsonb_path_ops) WITH (gin_pending_list_limit = 512);
CREATE INDEX service_custom ON service USING GIN (custom jsonb_path_ops);
-- Both engines again.

CREATE TABLE custom_field (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    label TEXT NOT NULL,
    kind TEXT NOT NULL,
    choices JSONB NOT NULL,
    required BOOLEAN NOT NULL,
    external_source TEXT,
    external_id TEXT,
    version BIGINT NOT NULL DEFAULT 1,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TIMESTAMPTZ NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at TIMESTAMPTZ,
    deleted_by TEXT
);
CREATE UNIQUE INDEX custom_field_entity_key ON custom_field (organisation_id, entity, key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX custom_field_external ON custom_field (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;
