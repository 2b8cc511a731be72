//! Postgres and Redis, which `tests/run` starts.

use std::hash::{BuildHasher, RandomState};
use std::process::Command;

/// Where the Postgres server for tests is.
const POSTGRES: &str = "LASTMILE_TEST_POSTGRES";
/// Where the Redis server for tests is.
const REDIS: &str = "LASTMILE_TEST_REDIS";

/// A database of one lab's own; gone when dropped.
#[derive(Debug)]
pub struct Database {
    server: String,
    name: String,
}

impl Database {
    /// Creates an empty one.
    pub fn create() -> Self {
        let database = Self { server: variable(POSTGRES), name: format!("lab_{}", unique()) };
        let name = &database.name;
        database.sql(&format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'"));
        database
    }

    /// Its URL.
    pub fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }

    fn sql(&self, sql: &str) {
        let output = Command::new("psql")
            .args(["--no-psqlrc", "--quiet", "--dbname", &self.server, "--command", sql])
            .output()
            .expect("psql is installed where these tests run (Debian: postgresql-client)");
        assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.sql(&format!("DROP DATABASE {} WITH (FORCE)", self.name));
        }
    }
}

/// The URL of the Redis server.
pub fn redis() -> String {
    variable(REDIS)
}

fn variable(name: &str) -> String {
    match std::env::var(name) {
        Ok(url) if !url.is_empty() => url,
        _ => panic!("{name} is not set: run tests/run, which starts the servers these tests need"),
    }
}

/// The server's URL with another database in its path.
fn with_database(server: &str, name: &str) -> String {
    let authority = server.find("://").map_or(0, |at| at + 3);
    let end = server[authority..].find(['/', '?']).map_or(server.len(), |at| authority + at);
    let query = server.find('?').map_or("", |at| &server[at..]);
    format!("{}/{name}{query}", &server[..end])
}

/// Sixteen hexadecimal digits that no other lab has.
pub fn unique() -> String {
    // The standard hasher is seeded at random, anew for each.
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_database_of_a_url_is_replaced() {
        for (server, wanted) in [
            ("postgres://u:p@h:5432/postgres", "postgres://u:p@h:5432/x"),
            ("postgres://u@h", "postgres://u@h/x"),
            ("postgres://h/?sslmode=disable", "postgres://h/x?sslmode=disable"),
        ] {
            assert_eq!(with_database(server, "x"), wanted);
        }
        assert_ne!(unique(), unique());
    }
}
