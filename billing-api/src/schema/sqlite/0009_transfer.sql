-- Records that leave as files and come from files.

-- Who took what out, and how much of it.
CREATE TABLE data_export (
    id BLOB PRIMARY KEY,
    organisation_id BLOB NOT NULL REFERENCES organisation (id),
    entity TEXT NOT NULL,
    format TEXT NOT NULL,
    query TEXT NOT NULL,
    columns TEXT NOT NULL,
    personal TEXT NOT NULL,
    state TEXT NOT NULL,
    row_count INTEGER NOT NULL,
    finished_at INTEGER,
    -- Only of one whose file is kept, or will be.
    file_name TEXT,
    octets INTEGER,
    purge_at INTEGER,
    external_source TEXT,
    external_id TEXT,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at INTEGER,
    deleted_by TEXT
);
CREATE INDEX data_export_created ON data_export (created_at);
CREATE INDEX data_export_updated ON data_export (updated_at);
CREATE INDEX data_export_entity ON data_export (entity);
CREATE INDEX data_export_purge ON data_export (purge_at) WHERE purge_at IS NOT NULL;
CREATE INDEX data_export_held ON data_export (organisation_id) WHERE purge_at IS NOT NULL;
CREATE UNIQUE INDEX data_export_external ON data_export (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- An export as somebody wants it again.
CREATE TABLE export_template (
    id BLOB PRIMARY KEY,
    organisation_id BLOB NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    entity TEXT NOT NULL,
    query TEXT,
    external_source TEXT,
    external_id TEXT,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at INTEGER,
    deleted_by TEXT
);
CREATE INDEX export_template_created ON export_template (created_at);
CREATE INDEX export_template_updated ON export_template (updated_at);
CREATE INDEX export_template_entity ON export_template (entity);
CREATE UNIQUE INDEX export_template_name ON export_template (organisation_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX export_template_external ON export_template (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- A file that came, what its columns mean, and what became of its rows.
CREATE TABLE data_import (
    id BLOB PRIMARY KEY,
    organisation_id BLOB NOT NULL REFERENCES organisation (id),
    entity TEXT NOT NULL,
    name TEXT NOT NULL,
    octets INTEGER NOT NULL,
    reading TEXT NOT NULL,
    columns TEXT NOT NULL,
    mapping TEXT NOT NULL,
    options TEXT NOT NULL,
    state TEXT NOT NULL,
    problem TEXT,
    row_count INTEGER NOT NULL,
    done_row INTEGER NOT NULL DEFAULT 0,
    created_count INTEGER NOT NULL DEFAULT 0,
    updated_count INTEGER NOT NULL DEFAULT 0,
    skipped_count INTEGER NOT NULL DEFAULT 0,
    failed_count INTEGER NOT NULL DEFAULT 0,
    undone_count INTEGER NOT NULL DEFAULT 0,
    finished_at INTEGER,
    undo_until INTEGER,
    purge_at INTEGER NOT NULL,
    external_source TEXT,
    external_id TEXT,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at INTEGER,
    deleted_by TEXT
);
CREATE INDEX data_import_created ON data_import (created_at);
CREATE INDEX data_import_updated ON data_import (updated_at);
CREATE INDEX data_import_entity ON data_import (entity);
CREATE INDEX data_import_purge ON data_import (purge_at);
CREATE UNIQUE INDEX data_import_external ON data_import (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- The file itself, sealed, in pieces. In the database, because any process may run the import
-- and a backup of the database is a backup of everything; purged with its window.
CREATE TABLE import_chunk (
    import_id BLOB NOT NULL REFERENCES data_import (id),
    number INTEGER NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (import_id, number)
);

-- What became of each row: enough to undo it, or to say what was wrong with it.
CREATE TABLE import_row (
    import_id BLOB NOT NULL REFERENCES data_import (id),
    row_number INTEGER NOT NULL,
    outcome TEXT NOT NULL,
    record_id BLOB,
    record_version INTEGER,
    before TEXT,
    faults TEXT,
    PRIMARY KEY (import_id, row_number)
);
CREATE INDEX import_row_outcome ON import_row (import_id, outcome, row_number);
CREATE INDEX import_row_record ON import_row (import_id, record_id) WHERE record_id IS NOT NULL;

-- Mail: whose server sends an organisation's letters, and the letters themselves.

CREATE TABLE mail_server (
    id BLOB PRIMARY KEY,
    organisation_id BLOB NOT NULL REFERENCES organisation (id),
    host TEXT NOT NULL,
    port INTEGER NOT NULL,
    -- none, starttls or tls.
    tls TEXT NOT NULL,
    username TEXT,
    -- Sealed to the id.
    password TEXT,
    from_address TEXT NOT NULL,
    from_name TEXT,
    enabled BOOLEAN NOT NULL,
    external_source TEXT,
    external_id TEXT,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at INTEGER,
    deleted_by TEXT
);
-- One for each: it is a setting with several parts.
CREATE UNIQUE INDEX mail_server_organisation ON mail_server (organisation_id) WHERE deleted_at IS NULL;
CREATE INDEX mail_server_created ON mail_server (organisation_id, created_at);
CREATE INDEX mail_server_updated ON mail_server (organisation_id, updated_at);
CREATE UNIQUE INDEX mail_server_external ON mail_server (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- A letter: written with what it tells about, waiting until a server has taken it.
CREATE TABLE mail (
    id BLOB PRIMARY KEY,
    organisation_id BLOB NOT NULL REFERENCES organisation (id),
    kind TEXT NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    -- The text, sealed to the id; forgotten once it was sent.
    content TEXT,
    -- The export whose file goes with it.
    export_id BLOB REFERENCES data_export (id),
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    -- When it is due; of one that is under way, when it is due again.
    next_at INTEGER NOT NULL,
    -- What the server said last: its code, what went wrong, its words where it took the letter.
    code INTEGER,
    error TEXT,
    answer TEXT,
    server TEXT,
    settled_at INTEGER,
    external_source TEXT,
    external_id TEXT,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at INTEGER,
    deleted_by TEXT
);
CREATE INDEX mail_due ON mail (organisation_id, next_at) WHERE state = 'waiting';
CREATE INDEX mail_sent ON mail (organisation_id, settled_at) WHERE state = 'sent';
CREATE INDEX mail_created ON mail (organisation_id, created_at);
CREATE INDEX mail_updated ON mail (organisation_id, updated_at);
CREATE INDEX mail_state ON mail (organisation_id, state);
CREATE INDEX mail_kind ON mail (organisation_id, kind);
CREATE INDEX mail_recipient ON mail (organisation_id, recipient);
CREATE INDEX mail_export ON mail (export_id) WHERE export_id IS NOT NULL;
CREATE INDEX mail_purge ON mail (created_at);
CREATE UNIQUE INDEX mail_external ON mail (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- The file of an export that is kept, sealed, in pieces, as those of imports are.
CREATE TABLE export_chunk (
    export_id BLOB NOT NULL REFERENCES data_export (id),
    number INTEGER NOT NULL,
    sealed TEXT NOT NULL,
    PRIMARY KEY (export_id, number)
);

-- An export that goes out by schedule. The schedule itself is its job's.
CREATE TABLE scheduled_export (
    id BLOB PRIMARY KEY,
    organisation_id BLOB NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    template_id BLOB NOT NULL REFERENCES export_template (id),
    schedule TEXT NOT NULL,
    zone TEXT,
    enabled BOOLEAN NOT NULL,
    -- mail or sftp.
    delivery TEXT NOT NULL,
    recipients TEXT,
    host TEXT,
    port INTEGER,
    username TEXT,
    -- The server's public key, as in known_hosts without the name: "ssh-ed25519 AAAA…".
    host_key TEXT,
    directory TEXT,
    -- Sealed to the id and their names.
    password TEXT,
    private_key TEXT,
    job_id BLOB REFERENCES job (id),
    external_source TEXT,
    external_id TEXT,
    version INTEGER NOT NULL DEFAULT 1,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    updated_by TEXT NOT NULL,
    deleted_at INTEGER,
    deleted_by TEXT
);
CREATE INDEX scheduled_export_created ON scheduled_export (organisation_id, created_at);
CREATE INDEX scheduled_export_updated ON scheduled_export (organisation_id, updated_at);
CREATE INDEX scheduled_export_template ON scheduled_export (template_id);
CREATE UNIQUE INDEX scheduled_export_name ON scheduled_export (organisation_id, name) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX scheduled_export_external ON scheduled_export (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;
