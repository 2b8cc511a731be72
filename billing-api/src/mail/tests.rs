//! Letters on both databases.
