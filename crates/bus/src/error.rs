//! What may go wrong on the bus.

/// Why a call on the bus failed. Only `Full` can come from a local bus.
///
/// `Unavailable`, `Timeout` and `Full` pass by themselves: try again. The others want a person.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The configured URL cannot be used. The text never contains the URL: it has a password.
    #[error("the Redis URL is not usable")]
    Url {
        /// What is wrong with it.
        source: Reason,
    },
    /// No connection could be made, or it broke, until the call's time was over.
    #[error("Redis cannot be reached")]
    Unavailable {
        /// The last thing that failed.
        source: Reason,
    },
    /// Redis is connected but did not answer in time.
    #[error("Redis did not answer within {limit_ms} ms")]
    Timeout {
        /// How long the call waited for the answer.
        limit_ms: u64,
    },
    /// The stream has no room for these entries until its reader trims it.
    #[error("stream {stream} has no room: it may hold {entries_max} entries")]
    Full {
        /// The stream.
        stream: String,
        /// Its bound.
        entries_max: usize,
    },
    /// Redis answered with an error: a wrong password, no memory left, a key of another type.
    #[error("Redis refused {command}")]
    Refused {
        /// The command that was refused.
        command: &'static str,
        /// What Redis said.
        source: Reason,
    },
    /// Redis holds something under our keys that this program did not write.
    #[error("Redis holds something unexpected in {key}")]
    Foreign {
        /// The key.
        key: String,
    },
}

/// The cause below an error, free of this crate's choice of Redis client.
pub type Reason = Box<dyn std::error::Error + Send + Sync>;
