//! What happens to a customer: the input of everything.

use std::cmp::Ordering;

use jiff::Timestamp;
use jiff::civil::Date;

use crate::exact::Exact;
use crate::period::Length;
use crate::tax::Tax;
use crate::words::choice;

choice! {
    /// Whether a period is invoiced when it begins or when it ends.
    Mode, default Advance {
        /// When it begins: prepaid.
        Advance = "advance",
        /// When it ends: postpaid.
        Arrears = "arrears",
    }
}

/// Something that happened, or is known to be going to.
///
/// An event is never changed; what was wrong is put right by another, with a day in the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The customer's events in the order they were written down.
    pub number: u64,
    /// The day it counts from, in the customer's zone.
    pub at: Date,
    /// The instant, where it is known. Events of a day without one come first.
    pub moment: Option<Timestamp>,
    /// The service, or the account where there is none.
    pub service: Option<String>,
    /// What happened.
    pub action: Action,
}

impl Event {
    /// By time, then by number: the same order however events arrive.
    pub fn order(&self, other: &Self) -> Ordering {
        (self.at, self.moment, self.number).cmp(&(other.at, other.moment, other.number))
    }
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The service begins, or begins again.
    Start(Offer),
    /// Its plan, price or periods change; what is `None` stays.
    Change(Change),
    /// Service and billing stop.
    Pause,
    /// They go on.
    Resume,
    /// The service ends.
    Cancel,
    /// The network is cut, for a reason; billing goes on unless the block or the policy says no.
    Block {
        /// Why; blocks of different reasons are lifted each on its own.
        reason: String,
        /// Whether billing stops; `None` leaves it to the policy.
        stops_billing: Option<bool>,
    },
    /// A block ends; all of them where no reason is given.
    Unblock {
        /// Which.
        reason: Option<String>,
    },
    /// A one-time charge.
    Charge(Amount),
    /// A correction of what was charged, in either direction.
    Adjust(Amount),
    /// Less to pay.
    Discount(Discount),
    /// Account credit, given: no line, no tax.
    Credit(i64),
    /// Money received.
    Payment(i64),
    /// Money paid back.
    Refund(i64),
}

/// What a service is and costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// The plan's name.
    pub plan: String,
    /// Minor units a period.
    pub price: i64,
    /// How long a period is.
    pub length: Length,
    /// The day periods of months begin on; `None` is the day of the start.
    pub billing_day: Option<i8>,
    /// A month of the year in which one begins.
    pub billing_month: Option<i8>,
    /// When periods are invoiced.
    pub mode: Mode,
    /// Days at the beginning that cost nothing.
    pub trial_days: u16,
    /// Its taxes, where they are not the customer's.
    pub taxes: Option<Vec<Tax>>,
}

/// What changes of an [`Offer`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Change {
    /// The plan's name.
    pub plan: Option<String>,
    /// Minor units a period.
    pub price: Option<i64>,
    /// How long a period is.
    pub length: Option<Length>,
    /// The day periods begin on.
    pub billing_day: Option<i8>,
    /// The month one begins in.
    pub billing_month: Option<i8>,
    /// When periods are invoiced.
    pub mode: Option<Mode>,
    /// Its taxes.
    pub taxes: Option<Vec<Tax>>,
}

impl Change {
    /// The offer after the change.
    pub(crate) fn applied_to(&self, old: &Offer) -> Offer {
        let length = self.length.unwrap_or(old.length);
        // Periods of days have no billing day to keep.
        let fixed = |day: Option<i8>| day.filter(|_| matches!(length, Length::Months(_)));
        Offer {
            plan: self.plan.clone().unwrap_or_else(|| old.plan.clone()),
            price: self.price.unwrap_or(old.price),
            length,
            billing_day: fixed(self.billing_day.or(old.billing_day)),
            billing_month: fixed(self.billing_month.or(old.billing_month)),
            mode: self.mode.unwrap_or(old.mode),
            trial_days: 0,
            taxes: self.taxes.clone().or_else(|| old.taxes.clone()),
        }
    }
}

/// An amount with its reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Amount {
    /// Minor units.
    pub amount: i64,
    /// What for.
    pub text: String,
    /// Its taxes, where they are not the customer's.
    pub taxes: Option<Vec<Tax>>,
}

/// How much a discount takes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Off {
    /// A share of the price, 1/10 for 10 %.
    Share(Exact),
    /// Minor units of each period's price, or of one document.
    Amount(i64),
}

/// Less to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discount {
    /// How much.
    pub off: Off,
    /// What for.
    pub text: String,
    /// Until when it counts; unused where it counts once.
    pub until: Option<Date>,
    /// A coupon: off the next document instead of off each period. An amount that is not used up
    /// goes on to the document after.
    pub once: bool,
}
