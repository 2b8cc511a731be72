//! The ledger, and what is summed from it.

store::statements! {
    /// The legal entity in whose books an organisation's money stands: itself, or the nearest
    /// above it.
    pub(crate) BOOKS = "SELECT b.id, b.currency, b.zone FROM organisation o
        JOIN organisation b ON o.path LIKE b.path || '%'
        WHERE o.id = $1 AND b.legal_entity
        ORDER BY length(b.path) DESC LIMIT 1";
    /// Opens an account, where it is not open yet.
    pub(crate) OPEN_ACCOUNT = "INSERT INTO ledger_account
        (id, organisation_id, code, currency, class, created_at)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (organisation_id, code, currency) DO NOTHING";
    /// Writes a transaction.
    pub(crate) INSERT_TRANSACTION = "INSERT INTO ledger_transaction
        (id, organisation_id, books_id, booked_on, kind, source, reverses, created_at, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    /// Writes an entry.
    pub(crate) INSERT_ENTRY = "INSERT INTO ledger_entry
        (id, organisation_id, transaction_id, books_id, booked_on, kind, debit, credit,
         amount_amount, amount_currency, customer_id, source, note, created_at, created_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    /// The transaction of a kind that a document made.
    pub(crate) OF_SOURCE = "SELECT id, organisation_id, books_id FROM ledger_transaction
        WHERE source = $1 AND kind = $2 ORDER BY id LIMIT 1";
    /// The entries of a transaction.
    pub(crate) ENTRIES_OF = "SELECT * FROM ledger_entry WHERE transaction_id = $1 ORDER BY id";
    /// What a customer owes, in each currency; negative: what is owed to them.
    pub(crate) BALANCE = "SELECT amount_currency AS currency, CAST(SUM(
            CASE WHEN debit = 'receivable' THEN amount_amount ELSE -amount_amount END) AS BIGINT)
            AS amount
        FROM ledger_entry
        WHERE customer_id = $1 AND (debit = 'receivable' OR credit = 'receivable')
        GROUP BY amount_currency ORDER BY amount_currency";
    /// What a customer owed before a day, in one currency.
    pub(crate) OPENING = "SELECT CAST(COALESCE(SUM(
            CASE WHEN debit = 'receivable' THEN amount_amount ELSE -amount_amount END), 0)
            AS BIGINT) AS amount
        FROM ledger_entry
        WHERE customer_id = $1 AND amount_currency = $2 AND booked_on < $3
          AND (debit = 'receivable' OR credit = 'receivable')";
    /// A customer's entries of some days in one currency, in their order, with what was owed
    /// after each, as a difference to the opening balance.
    pub(crate) STATEMENT = "SELECT * FROM (
            SELECT id, booked_on, kind, source, note, created_at,
                CASE WHEN debit = 'receivable' THEN amount_amount ELSE -amount_amount END AS amount,
                CAST(SUM(CASE WHEN debit = 'receivable' THEN amount_amount ELSE -amount_amount END)
                    OVER (ORDER BY booked_on, id) AS BIGINT) AS moved,
                ROW_NUMBER() OVER (ORDER BY booked_on, id) AS n
            FROM ledger_entry
            WHERE customer_id = $1 AND amount_currency = $2 AND booked_on >= $3
              AND booked_on <= $4 AND (debit = 'receivable' OR credit = 'receivable')) AS moves
        WHERE n > $5 ORDER BY n LIMIT $6";
    /// What moved on each account up to a day: once for its debit side, once for its credit side.
    pub(crate) TRIAL_BALANCE = "SELECT a.organisation_id, a.code, a.currency, a.class,
            CAST(COALESCE((SELECT SUM(e.amount_amount) FROM ledger_entry e
                WHERE e.books_id = a.organisation_id AND e.debit = a.code
                  AND e.amount_currency = a.currency AND e.booked_on <= $2), 0) AS BIGINT) AS debit,
            CAST(COALESCE((SELECT SUM(e.amount_amount) FROM ledger_entry e
                WHERE e.books_id = a.organisation_id AND e.credit = a.code
                  AND e.amount_currency = a.currency AND e.booked_on <= $2), 0) AS BIGINT) AS credit
        FROM ledger_account a
        WHERE a.organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
        ORDER BY a.organisation_id, a.currency, a.class, a.code";
    /// Gives an amount of a payment back, where so much of it is left.
    pub(crate) REFUND = "UPDATE payment SET refunded_amount = refunded_amount + $3,
            status = CASE WHEN refunded_amount + $3 = amount_amount THEN 'refunded' ELSE status END,
            updated_at = $4, updated_by = $5, version = version + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND status = 'posted' AND refunded_amount + $3 <= amount_amount";
    /// Takes a payment back, where nothing of it was refunded.
    pub(crate) REVERSE_PAYMENT = "UPDATE payment SET status = 'reversed', updated_at = $3,
            updated_by = $4, version = version + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND status = 'posted' AND refunded_amount = 0";
    /// Takes a correction back.
    pub(crate) REVERSE_ADJUSTMENT = "UPDATE adjustment SET status = 'reversed', updated_at = $3,
            updated_by = $4, version = version + 1
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND status = 'posted'";
    /// Payments, with what the ledger says of each: received, given back, taken back.
    pub(crate) CHECK_PAYMENTS = "SELECT p.id, p.status, p.amount_amount AS amount,
            p.refunded_amount AS refunded, p.amount_currency AS currency, p.customer_id
        FROM payment p WHERE p.id > $1 ORDER BY p.id LIMIT $2";
    /// Corrections, for the same.
    pub(crate) CHECK_ADJUSTMENTS = "SELECT id, kind, status, amount_amount AS amount,
            amount_currency AS currency, customer_id
        FROM adjustment WHERE id > $1 ORDER BY id LIMIT $2";
    /// What a document moved on a customer's account, by kind of transaction.
    pub(crate) MOVED = "SELECT kind, CAST(SUM(
            CASE WHEN debit = 'receivable' THEN amount_amount
                 WHEN credit = 'receivable' THEN -amount_amount ELSE 0 END) AS BIGINT) AS amount
        FROM ledger_entry WHERE source = $1 AND customer_id = $2 AND amount_currency = $3
        GROUP BY kind ORDER BY kind";
    /// Transactions without an entry, and entries that are in other books than their
    /// transaction, or of another document.
    pub(crate) CHECK_TRANSACTIONS = "SELECT t.id, t.kind, t.source,
            CASE WHEN NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.transaction_id = t.id)
                 THEN 'has no entry' ELSE 'has an entry that is not of it' END AS fault
        FROM ledger_transaction t
        WHERE NOT EXISTS (SELECT 1 FROM ledger_entry e WHERE e.transaction_id = t.id)
           OR EXISTS (SELECT 1 FROM ledger_entry e WHERE e.transaction_id = t.id
                AND (e.books_id <> t.books_id OR e.booked_on <> t.booked_on
                  OR e.kind <> t.kind OR e.source <> t.source))
        ORDER BY t.id LIMIT $1";
    /// Reversals that are not the mirror of what they reverse: another amount, other accounts.
    pub(crate) CHECK_REVERSALS = "SELECT t.id, t.source FROM ledger_transaction t
        WHERE t.reverses IS NOT NULL AND (
            EXISTS (SELECT 1 FROM ledger_entry e WHERE e.transaction_id = t.id AND NOT EXISTS (
                SELECT 1 FROM ledger_entry o WHERE o.transaction_id = t.reverses
                  AND o.debit = e.credit AND o.credit = e.debit
                  AND o.amount_amount = e.amount_amount
                  AND o.amount_currency = e.amount_currency))
            OR (SELECT COUNT(*) FROM ledger_entry e WHERE e.transaction_id = t.id)
               <> (SELECT COUNT(*) FROM ledger_entry o WHERE o.transaction_id = t.reverses))
        ORDER BY t.id LIMIT $1";
}
