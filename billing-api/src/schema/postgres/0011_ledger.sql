-- The ledger: what every legal entity is owed, has and owes, in entries that are written once.

-- The accounts of a legal entity's books, one for each currency they are kept in.
CREATE TABLE ledger_account (
    id UUID PRIMARY KEY,
    -- The legal entity.
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    code TEXT NOT NULL,
    currency TEXT NOT NULL,
    -- asset, liability, income or expense.
    class TEXT NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    version BIGINT NOT NULL DEFAULT 1,
    deleted_at TIMESTAMPTZ,
    UNIQUE (organisation_id, code, currency)
);
CREATE INDEX ledger_account_created ON ledger_account (organisation_id, created_at);

-- What happened: a payment, a correction, its reversal.
CREATE TABLE ledger_transaction (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    -- The legal entity in whose books it stands.
    books_id UUID NOT NULL REFERENCES organisation (id),
    -- The civil date in the books, YYYY-MM-DD.
    booked_on TEXT NOT NULL,
    kind TEXT NOT NULL,
    -- The id of the document it comes from, as the API shows it.
    source TEXT NOT NULL,
    reverses UUID REFERENCES ledger_transaction (id),
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT NOT NULL
);
CREATE INDEX ledger_transaction_source ON ledger_transaction (source);
CREATE INDEX ledger_transaction_books ON ledger_transaction (books_id, booked_on);
CREATE UNIQUE INDEX ledger_transaction_reverses ON ledger_transaction (reverses) WHERE reverses IS NOT NULL;

-- One amount from one account to another: no entry can leave the books out of balance. The keys
-- keep both accounts in the same books and in the currency of the amount.
CREATE TABLE ledger_entry (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    transaction_id UUID NOT NULL REFERENCES ledger_transaction (id),
    books_id UUID NOT NULL,
    booked_on TEXT NOT NULL,
    kind TEXT NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    amount_amount BIGINT NOT NULL,
    amount_currency TEXT NOT NULL,
    customer_id UUID REFERENCES customer (id),
    source TEXT NOT NULL,
    note TEXT,
    created_at TIMESTAMPTZ NOT NULL,
    created_by TEXT NOT NULL,
    version BIGINT NOT NULL DEFAULT 1,
    deleted_at TIMESTAMPTZ,
    CHECK (amount_amount > 0),
    CHECK (debit <> credit),
    FOREIGN KEY (books_id, debit, amount_currency) REFERENCES ledger_account (organisation_id, code, currency),
    FOREIGN KEY (books_id, credit, amount_currency) REFERENCES ledger_account (organisation_id, code, currency)
);
CREATE INDEX ledger_entry_created ON ledger_entry (organisation_id, created_at);
CREATE INDEX ledger_entry_booked ON ledger_entry (organisation_id, booked_on);
CREATE INDEX ledger_entry_books ON ledger_entry (books_id, booked_on);
CREATE INDEX ledger_entry_transaction ON ledger_entry (transaction_id);
CREATE INDEX ledger_entry_customer ON ledger_entry (customer_id, booked_on, id);
CREATE INDEX ledger_entry_source ON ledger_entry (source);

-- Only in this engine: what was written stays.
CREATE FUNCTION written_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is written once: % of %', TG_OP, TG_TABLE_NAME;
END $$;
CREATE TRIGGER ledger_entry_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION written_once();
CREATE TRIGGER ledger_transaction_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION written_once();
-- Both engines again.

-- Money that came from a customer.
CREATE TABLE payment (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    number BIGINT NOT NULL,
    customer_id UUID NOT NULL REFERENCES customer (id),
    amount_amount BIGINT NOT NULL,
    amount_currency TEXT NOT NULL,
    method TEXT NOT NULL,
    received_on TEXT NOT NULL,
    reference TEXT,
    note TEXT,
    -- posted, refunded (all of it) or reversed.
    status TEXT NOT NULL,
    refunded_amount BIGINT NOT NULL DEFAULT 0,
    refunded_currency TEXT NOT NULL,
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
CREATE UNIQUE INDEX payment_number ON payment (organisation_id, number);
CREATE INDEX payment_customer ON payment (customer_id, received_on);
CREATE INDEX payment_received ON payment (organisation_id, received_on);
CREATE INDEX payment_method ON payment (organisation_id, method);
CREATE INDEX payment_status ON payment (organisation_id, status);
CREATE INDEX payment_reference ON payment (organisation_id, reference);
CREATE INDEX payment_created ON payment (organisation_id, created_at);
CREATE INDEX payment_updated ON payment (organisation_id, updated_at);
CREATE UNIQUE INDEX payment_external ON payment (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;

-- What staff put on or take off an account by hand.
CREATE TABLE adjustment (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisation (id),
    customer_id UUID NOT NULL REFERENCES customer (id),
    -- charge or credit.
    kind TEXT NOT NULL,
    amount_amount BIGINT NOT NULL,
    amount_currency TEXT NOT NULL,
    booked_on TEXT NOT NULL,
    reason TEXT NOT NULL,
    -- posted or reversed.
    status TEXT NOT NULL,
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
CREATE INDEX adjustment_customer ON adjustment (customer_id, booked_on);
CREATE INDEX adjustment_booked ON adjustment (organisation_id, booked_on);
CREATE INDEX adjustment_kind ON adjustment (organisation_id, kind);
CREATE INDEX adjustment_status ON adjustment (organisation_id, status);
CREATE INDEX adjustment_created ON adjustment (organisation_id, created_at);
CREATE INDEX adjustment_updated ON adjustment (organisation_id, updated_at);
CREATE UNIQUE INDEX adjustment_external ON adjustment (external_id, external_source, organisation_id) WHERE deleted_at IS NULL AND external_id IS NOT NULL;
