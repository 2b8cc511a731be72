//! The rules of the office.
//!
//! Every change goes the same way: validate → begin a [`Unit`] → write rows, audit entry and
//! event → commit. Errors are transport-free ([`Fault`]); the edge chooses their status.

pub(crate) mod actor;
pub(crate) mod audit;
mod fault;
pub(crate) mod idempotency;
mod input;
pub(crate) mod number;
mod office;
pub(crate) mod slots;
mod together;
mod unit;

pub(crate) mod access;
pub(crate) mod adjustment;
pub(crate) mod auth_log;
pub(crate) mod branding;
pub(crate) mod calendar;
pub(crate) mod customer;
mod fit;
pub(crate) mod identity;
pub(crate) mod ledger;
pub(crate) mod module;
pub(crate) mod nas;
pub(crate) mod organisation;
pub(crate) mod payment;
pub(crate) mod plan;
pub(crate) mod pool;
pub(crate) mod preference;
mod prefix;
pub(crate) mod radius_group;
pub(crate) mod rules;
pub(crate) mod service;
pub(crate) mod session;
pub(crate) mod setting;
pub(crate) mod setup;

pub(crate) use actor::{Actor, Who};
pub(crate) use fault::{Fault, FieldFault};
pub(crate) use input::{AMOUNT_MAX, Input, contains, is_email};
pub(crate) use number::Series;
pub(crate) use office::{Office, PAGE_DEFAULT, PAGE_MAX, Page};
pub(crate) use unit::{EVENT_FORMAT, Event, Rows, Unit, Words, rows_at_once};
