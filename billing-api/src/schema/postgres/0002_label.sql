-- Labels: staff put them on customers, services, devices.

CREATE TABLE label (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    name TEXT NOT NULL,
    colour TEXT,
    kind TEXT NOT NULL,
    description TEXT,
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
CREATE UNIQUE INDEX label_kind_name ON label (organisation_id, kind, name) WHERE deleted_at IS NULL;
CREATE INDEX label_created ON label (organisation_id, created_at);
CREATE INDEX label_updated ON label (organisation_id, updated_at);
CREATE UNIQUE INDEX label_external ON label (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- Which customers have which labels.
CREATE TABLE customer_label (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    customer_id UUID NOT NULL REFERENCES customer (id),
    label_id UUID NOT NULL REFERENCES label (id),
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
CREATE UNIQUE INDEX customer_label_customer_id_label_id ON customer_label (customer_id, label_id) WHERE deleted_at IS NULL;
CREATE INDEX customer_label_label ON customer_label (label_id);
CREATE UNIQUE INDEX customer_label_external ON customer_label (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;
