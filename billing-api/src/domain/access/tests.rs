//! The rules of access, attacked.
