//! The settings.

use super::colour::Ground;
use super::{Bound, Default, Inherits, Kind, Setting};

/// Changing the organisation's own affairs.
const EDIT: &str = "settings.edit";
/// Changing how staff prove themselves: for those who look after staff.
const STAFF: &str = "staff.edit";

const fn text(key: &'static str, kind: Kind) -> Setting {
    Setting {
        key,
        kind,
        default: Default::None,
        permission: EDIT,
        inherits: Inherits::Always,
        bound: Bound::Free,
        by_entity: false,
        at_root: false,
    }
}

/// On the papers of a company: another company's never applies.
const fn paper(key: &'static str, kind: Kind) -> Setting {
    Setting { inherits: Inherits::WithinEntity, ..text(key, kind) }
}

const fn worded(key: &'static str, kind: Kind, default: &'static str) -> Setting {
    Setting { default: Default::Text(default), ..text(key, kind) }
}

const fn number(key: &'static str, min: i64, max: i64, default: i64) -> Setting {
    Setting { default: Default::Integer(default), ..text(key, Kind::Integer { min, max }) }
}

/// Those below may be stricter and never looser.
const fn security(setting: Setting, bound: Bound) -> Setting {
    Setting { permission: STAFF, bound, ..setting }
}

/// The company's name on papers.
pub(crate) const LEGAL_NAME: Setting = paper("business.legal_name", Kind::Text(200));
/// Its number in the register of companies.
pub(crate) const REGISTRATION_NUMBER: Setting =
    paper("business.registration_number", Kind::Text(60));
/// Its tax id (GSTIN, VAT number …).
pub(crate) const TAX_ID: Setting = paper("business.tax_id", Kind::Text(60));
/// Its address on papers.
pub(crate) const BUSINESS_ADDRESS: Setting = paper("business.address", Kind::Lines(500));

/// Where customers write to.
pub(crate) const SUPPORT_EMAIL: Setting = text("contacts.support_email", Kind::Email);
/// Where customers call.
pub(crate) const PHONE: Setting = text("contacts.phone", Kind::Phone);
/// Where customers come to.
pub(crate) const CONTACT_ADDRESS: Setting = text("contacts.address", Kind::Lines(500));

/// The IANA time zone of days and times.
pub(crate) const ZONE: Setting = worded("operation.zone", Kind::Zone, "UTC");
/// What is charged in.
pub(crate) const CURRENCY: Setting =
    Setting { by_entity: true, ..worded("operation.currency", Kind::Currency, "USD") };
/// The language of those whose own is not known.
pub(crate) const LOCALE: Setting = worded("operation.locale", Kind::Locale, "en");
/// How dates are written.
pub(crate) const DATE_FORMAT: Setting = worded(
    "operation.date_format",
    Kind::Choice(&["YYYY-MM-DD", "DD/MM/YYYY", "DD.MM.YYYY", "MM/DD/YYYY"]),
    "YYYY-MM-DD",
);
/// The first day of the fiscal year.
pub(crate) const FISCAL_YEAR_START: Setting =
    Setting { by_entity: true, ..worded("operation.fiscal_year_start", Kind::MonthDay, "01-01") };
/// The first day of the week.
pub(crate) const WEEK_START: Setting =
    worded("operation.week_start", Kind::Choice(&["monday", "saturday", "sunday"]), "monday");

/// Characters of a staff password, at least.
pub(crate) const PASSWORD_LENGTH: Setting =
    security(number("security.password_length", 8, 128, 12), Bound::AtLeast);
/// A staff session not used for so many minutes is over.
pub(crate) const SESSION_IDLE: Setting =
    security(number("security.session_idle_minutes", 5, 10_080, 480), Bound::AtMost);
/// A staff session is over after so many hours, used or not.
pub(crate) const SESSION_LIFETIME: Setting =
    security(number("security.session_lifetime_hours", 1, 720, 168), Bound::AtMost);
/// Whether staff must have a second factor.
pub(crate) const TWO_FACTOR_REQUIRED: Setting = security(
    Setting { default: Default::Flag(false), ..text("security.two_factor_required", Kind::Flag) },
    Bound::StaysOn,
);
/// The addresses and prefixes staff sign in from; whoever is below has to be in every list
/// above as well. Absent: from everywhere.
pub(crate) const ALLOW_LIST: Setting =
    security(text("security.allow_list", Kind::Networks), Bound::Free);
/// Wrong passwords for one account from one address that cost no waiting.
pub(crate) const LOCKOUT_ATTEMPTS: Setting = Setting {
    at_root: true,
    ..security(number("security.lockout_attempts", 3, 20, 5), Bound::Free)
};
/// How long the wait between attempts grows at most, minutes.
pub(crate) const LOCKOUT_MINUTES: Setting = Setting {
    at_root: true,
    ..security(number("security.lockout_minutes", 1, 60, 15), Bound::Free)
};
/// Audit entries are kept for so many days.
pub(crate) const AUDIT_RETENTION: Setting =
    security(number("security.audit_retention_days", 90, 3_650, 1_095), Bound::AtLeast);

/// Of them, deletions, changes of rights and of money for so many; never for fewer than all.
pub(crate) const AUDIT_RETENTION_CRITICAL: Setting =
    security(number("security.audit_retention_critical_days", 365, 3_650, 1_825), Bound::AtLeast);

/// An import can be undone for so many hours.
pub(crate) const UNDO_WINDOW: Setting = number("import.undo_window_hours", 0, 720, 24);

/// Where answers to our mail go.
pub(crate) const MAIL_REPLY_TO: Setting = text("mail.reply_to", Kind::Email);
/// Who looks after this organisation: told where something went wrong.
pub(crate) const MAIL_CONTACT: Setting =
    Setting { inherits: Inherits::Never, ..text("mail.contact", Kind::Email) };
/// Whether the contact is told of jobs that failed.
pub(crate) const MAIL_JOB_FAILED: Setting =
    Setting { default: Default::Flag(false), ..text("mail.job_failed", Kind::Flag) };
/// Letters of an organisation in an hour. Those below may not send more.
pub(crate) const MAIL_HOURLY_MAX: Setting =
    Setting { bound: Bound::AtMost, ..number("mail.hourly_max", 1, 100_000, 500) };

/// The file of an export made in the background is kept for so many hours.
pub(crate) const EXPORT_KEEP_HOURS: Setting = number("export.keep_hours", 1, 720, 72);
/// A scheduled export up to this size is attached to the mail; a larger one is a link, KiB.
pub(crate) const EXPORT_ATTACHMENT_KIB: Setting = number("export.attachment_kib", 0, 20_480, 5_120);

/// The name on our pages, in place of the product's.
pub(crate) const DISPLAY_NAME: Setting = text("branding.display_name", Kind::Text(60));
/// The colour of links and buttons on a light ground.
pub(crate) const ACCENT_LIGHT: Setting = text("branding.accent_light", Kind::Colour(Ground::Light));
/// The same on a dark ground.
pub(crate) const ACCENT_DARK: Setting = text("branding.accent_dark", Kind::Colour(Ground::Dark));
/// The hash of the logo's file. Set by sending the file.
pub(crate) const LOGO: Setting = text("branding.logo", Kind::Picture);

/// Whether the first setup was finished, or sent away.
pub(crate) const SETUP_CLOSED: Setting = Setting {
    inherits: Inherits::Never,
    default: Default::Flag(false),
    ..text("setup.closed", Kind::Flag)
};

/// Every setting, in the order people see them.
pub(crate) static ALL: &[&Setting] = &[
    &LEGAL_NAME,
    &REGISTRATION_NUMBER,
    &TAX_ID,
    &BUSINESS_ADDRESS,
    &SUPPORT_EMAIL,
    &PHONE,
    &CONTACT_ADDRESS,
    &ZONE,
    &CURRENCY,
    &LOCALE,
    &DATE_FORMAT,
    &FISCAL_YEAR_START,
    &WEEK_START,
    &PASSWORD_LENGTH,
    &SESSION_IDLE,
    &SESSION_LIFETIME,
    &TWO_FACTOR_REQUIRED,
    &ALLOW_LIST,
    &LOCKOUT_ATTEMPTS,
    &LOCKOUT_MINUTES,
    &AUDIT_RETENTION,
    &AUDIT_RETENTION_CRITICAL,
    &UNDO_WINDOW,
    &EXPORT_KEEP_HOURS,
    &EXPORT_ATTACHMENT_KIB,
    &MAIL_REPLY_TO,
    &MAIL_CONTACT,
    &MAIL_JOB_FAILED,
    &MAIL_HOURLY_MAX,
    &DISPLAY_NAME,
    &ACCENT_LIGHT,
    &ACCENT_DARK,
    &LOGO,
    &SETUP_CLOSED,
];

/// The groups with a page of their own, in order; what is in no group here has its own page.
pub(crate) const GROUPS: [&str; 7] =
    ["business", "contacts", "operation", "security", "import", "export", "mail"];

/// A setting by its key.
pub(crate) fn find(key: &str) -> Option<&'static Setting> {
    ALL.iter().copied().find(|setting| setting.key == key)
}
