-- Settings and modules per organisation, its pictures, and what a branch has.

-- What an organisation has set for itself, modules among it (`module.…`). Without a row the
-- nearest ancestor's applies.
CREATE TABLE setting (
    organisation_id BLOB NOT NULL REFERENCES organisation (id),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    PRIMARY KEY (organisation_id, key)
);
CREATE INDEX setting_key ON setting (key);

-- How often an organisation's settings, its name or its place in the tree were changed: the
-- version its settings are shown with. The sum of all tells every process when to read again.
CREATE TABLE configuration (
    organisation_id BLOB PRIMARY KEY REFERENCES organisation (id),
    version INTEGER NOT NULL
);

-- Small files that pages show. Each organisation has its own copies, so that one going away
-- takes nothing from another.
CREATE TABLE blob (
    organisation_id BLOB NOT NULL REFERENCES organisation (id),
    -- SHA-256 of the content, hexadecimal.
    hash TEXT NOT NULL,
    kind TEXT NOT NULL,
    content_type TEXT NOT NULL,
    content BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    PRIMARY KEY (organisation_id, hash)
);
CREATE INDEX blob_hash ON blob (hash);

-- A branch is somewhere, and somebody's.
ALTER TABLE organisation ADD COLUMN address TEXT;
ALTER TABLE organisation ADD COLUMN manager_id BLOB REFERENCES staff (id);
CREATE INDEX organisation_parent ON organisation (parent_id);
CREATE UNIQUE INDEX organisation_external ON organisation (parent_id, external_source, external_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- What the first start wrote into the root's columns becomes its settings. From now on the
-- columns follow the settings, for the statements that join them.
INSERT INTO setting (organisation_id, key, value, created_at, created_by, updated_at, updated_by)
SELECT id, 'operation.zone', CAST('"' || zone || '"' AS TEXT), created_at, created_by, updated_at, updated_by
FROM organisation WHERE parent_id IS NULL;
INSERT INTO setting (organisation_id, key, value, created_at, created_by, updated_at, updated_by)
SELECT id, 'operation.currency', CAST('"' || currency || '"' AS TEXT), created_at, created_by, updated_at, updated_by
FROM organisation WHERE parent_id IS NULL;
INSERT INTO setting (organisation_id, key, value, created_at, created_by, updated_at, updated_by)
SELECT id, 'operation.locale', CAST('"' || locale || '"' AS TEXT), created_at, created_by, updated_at, updated_by
FROM organisation WHERE parent_id IS NULL;
