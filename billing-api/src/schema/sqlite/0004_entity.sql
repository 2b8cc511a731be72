-- What every described entity shares: words to be found by, and fields organisations add.

-- The words of every record that search looks into, written with the record. Folded and split
-- by the program, so that both engines find the same.
CREATE TABLE search_entry (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    record_id BLOB NOT NULL,
    entity TEXT NOT NULL,
    organisation_id BLOB NOT NULL,
    title TEXT NOT NULL,
    words TEXT NOT NULL
);
CREATE UNIQUE INDEX search_entry_record ON search_entry (record_id);
-- For those with few records, whatever word they look for; and the newest of each, for words that
-- most records have.
CREATE INDEX search_entry_organisation ON search_entry (organisation_id, entity, seq);

-- Only in this engine: the index over the words.
CREATE VIRTUAL TABLE search_word USING fts5(words, content='search_entry', content_rowid='seq', tokenize='unicode61 remove_diacritics 0', prefix='2 3');
CREATE TRIGGER search_entry_made AFTER INSERT ON search_entry BEGIN
    INSERT INTO search_word (rowid, words) VALUES (new.seq, new.words);
END;
CREATE TRIGGER search_entry_gone AFTER DELETE ON search_entry BEGIN
    INSERT INTO search_word (search_word, rowid, words) VALUES ('delete', old.seq, old.words);
END;
CREATE TRIGGER search_entry_changed AFTER UPDATE ON search_entry BEGIN
    INSERT INTO search_word (search_word, rowid, words) VALUES ('delete', old.seq, old.words);
    INSERT INTO search_word (rowid, words) VALUES (new.seq, new.words);
END;
-- Both engines again.

CREATE TABLE custom_field (
    id BLOB PRIMARY KEY,
    organisation_id BLOB NOT NULL REFERENCES organisation (id),
    entity TEXT NOT NULL,
    key TEXT NOT NULL,
    label TEXT NOT NULL,
    kind TEXT NOT NULL,
    choices TEXT NOT NULL,
    required BOOLEAN NOT NULL,
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
CREATE UNIQUE INDEX custom_field_entity_key ON custom_field (organisation_id, entity, key) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX custom_field_external ON custom_field (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;
