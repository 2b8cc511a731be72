-- What the console remembers of each member of staff: columns of tables, rows of a page, the
-- organisation one works in. Nothing of the business hangs on it.
CREATE TABLE console_preference (
    staff_id BLOB NOT NULL REFERENCES staff (id),
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (staff_id, key)
);
