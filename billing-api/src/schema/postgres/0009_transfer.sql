-- Records that leave as files and come from files.

-- Who took what out, and how much of it.
CREATE TABLE data_export (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    entity TEXT NOT NULL,
    format TEXT NOT NULL,
    query TEXT NOT NULL,
    columns JSONB NOT NULL,
    personal JSONB NOT NULL,
    state TEXT NOT NULL,
    row_count BIGINT NOT NULL,
    finished_at TIMESTAMPTZ,
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
CREATE INDEX data_export_created ON data_export (created_at);
CREATE INDEX data_export_updated ON data_export (updated_at);
CREATE INDEX data_export_entity ON data_export (entity);
CREATE UNIQUE INDEX data_export_external ON data_export (organisation_id, external_source, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- An export as somebody wants it again.
CREATE TABLE export_template (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    entity TEXT NOT NULL,
    query TEXT,
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
CREATE INDEX export_template_created ON export_template (created_at);
CREATE INDEX export_template_updated ON export_template (updated_at);
CREATE INDEX export_template_entity ON export_template (entity);
CREATE UNIQUE INDEX export_template_name ON export_template (organisation_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX export_template_external ON export_template (organisation_id, external_source, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- A file that came, what its columns mean, and what became of its rows.
CREATE TABLE data_import (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    entity TEXT NOT NULL,
    name TEXT NOT NULL,
    octets BIGINT NOT NULL,
    reading JSONB NOT NULL,
    columns JSONB NOT NULL,
    mapping JSONB NOT NULL,
    options JSONB NOT NULL,
    state TEXT NOT NULL,
    problem TEXT,
    row_count BIGINT NOT NULL,
    done_row BIGINT NOT NULL DEFAULT 0,
    created_count BIGINT NOT NULL DEFAULT 0,
    updated_count BIGINT NOT NULL DEFAULT 0,
    skipped_count BIGINT NOT NULL DEFAULT 0,
    failed_count BIGINT NOT NULL DEFAULT 0,
    undone_count BIGINT NOT NULL DEFAULT 0,
    finished_at TIMESTAMPTZ,
    undo_until TIMESTAMPTZ,
    purge_at TIMESTAMPTZ NOT NULL,
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
CREATE INDEX data_import_created ON data_import (created_at);
CREATE INDEX data_import_updated ON data_import (updated_at);
CREATE INDEX data_import_entity ON data_import (entity);
CREATE INDEX data_import_purge ON data_import (purge_at);
CREATE UNIQUE INDEX data_import_external ON data_import (organisation_id, external_source, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- The file itself, sealed, in pieces. In the database, because any process may run the import
-- and a backup of the database is a backup of everything; purged with its window.
CREATE TABLE import_chunk (
    import_id UUID NOT NULL REFERENCES data_import (id),
    number BIGINT NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (import_id, number)
);

-- What became of each row: enough to undo it, or to say what was wrong with it.
CREATE TABLE import_row (
    import_id UUID NOT NULL REFERENCES data_import (id),
    row_number BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    record_id UUID,
    record_version BIGINT,
    before JSONB,
    faults JSONB,
    PRIMARY KEY (import_id, row_number)
);
CREATE INDEX import_row_outcome ON import_row (import_id, outcome, row_number);
