//! Calls to the outside: HTTP with a guard against our own network, and signed webhooks.
