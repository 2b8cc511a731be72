//! What services have of the IPv6 address space, as ranges.

store::statements! {
    /// Ranges are written by one at a time. On SQLite every transaction is alone already.
    pub(crate) HOLD = {
        sqlite: "SELECT 1 AS held",
        // Any number that no other lock of this schema has.
        postgres: "SELECT CAST(pg_advisory_xact_lock(20010) AS TEXT) AS held",
    };
    /// Another service's range that begins within one.
    pub(crate) INSIDE = "SELECT service_id FROM service_prefix
        WHERE first_address >= $1 AND first_address <= $2 AND service_id <> $3 LIMIT 1";
    /// Other services' ranges that begin at or before an address, the nearest first.
    pub(crate) BEFORE = "SELECT last_address FROM service_prefix
        WHERE first_address <= $1 AND service_id <> $2 ORDER BY first_address DESC LIMIT 3";
    /// Keeps a range.
    pub(crate) INSERT = "INSERT INTO service_prefix
        (service_id, field, first_address, last_address) VALUES ($1, $2, $3, $4)";
    /// A service has no range any more.
    pub(crate) FORGET = "DELETE FROM service_prefix WHERE service_id = $1";
}
