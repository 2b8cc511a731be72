//! The console's words: which texts of the catalogue it uses, and in whose language.
//!
//! Every key is a constant of this file, so that a test can walk them all.

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT_LANGUAGE;
use jiff::tz::TimeZone;
use model::identity::IdentityKind;
use model::policy::HoldReason;
use model::reject::RejectReason;
use model::text::{FluentValue, has, text};

use crate::domain::calendar::Calendar;
use crate::entity::{Action, Entity};

/// A text of the catalogue. Only this file can name one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(&'static str);

/// The arguments of a text.
pub(super) type Args<'a> = &'a [(&'static str, FluentValue<'static>)];

/// The reader's language, and the calendar and the clock on the reader's wall.
#[derive(Debug, Clone)]
pub(super) struct Words {
    locale: String,
    calendar: Calendar,
}

impl Words {
    /// The language a browser asks for first.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let header = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let tag = header.unwrap_or("").split([',', ';']).next().unwrap_or("").trim();
        let fits = (2..=35).contains(&tag.len())
            && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        let locale = if fits { tag.to_owned() } else { "en".to_owned() };
        Self { locale, calendar: Calendar::default() }
    }

    /// Days and times are told like this from here on.
    pub(super) fn by(self, calendar: Calendar) -> Self {
        Self { calendar, ..self }
    }

    /// In the reader's own language, where that is known.
    pub(super) fn in_language(self, tag: &str) -> Self {
        if tag.is_empty() { self } else { Self { locale: tag.to_owned(), ..self } }
    }

    /// Times are told in this zone from here on; UTC where nobody knows it.
    #[cfg(test)]
    pub(super) fn in_zone(self, name: &str) -> Self {
        Self { calendar: self.calendar.in_zone(name), ..self }
    }

    /// How the reader writes days and times.
    pub(super) fn calendar(&self) -> &Calendar {
        &self.calendar
    }

    /// The reader's zone.
    pub(super) fn zone(&self) -> &TimeZone {
        self.calendar.zone()
    }

    /// The name of the reader's zone.
    pub(super) fn zone_name(&self) -> String {
        self.zone().iana_name().unwrap_or("UTC").to_owned()
    }

    /// A text.
    pub(super) fn say(&self, key: Key) -> String {
        text(&self.locale, key.0, &[])
    }

    /// Why a login was refused, for staff.
    pub(super) fn refusal(&self, reason: RejectReason) -> String {
        self.say(match reason {
            RejectReason::UnknownLogin => REFUSED_UNKNOWN_LOGIN,
            RejectReason::WrongPassword => REFUSED_WRONG_PASSWORD,
            RejectReason::NoCredentials => REFUSED_NO_CREDENTIALS,
            RejectReason::MethodNotPossible => REFUSED_METHOD,
            RejectReason::NoProfile => REFUSED_NO_PROFILE,
            RejectReason::Expired => REFUSED_EXPIRED,
            RejectReason::HeldNonpayment => REFUSED_NONPAYMENT,
            RejectReason::HeldAdmin => REFUSED_ADMIN,
            RejectReason::HeldAbuse => REFUSED_ABUSE,
            RejectReason::HeldPause => REFUSED_PAUSE,
            RejectReason::HeldQuota => REFUSED_QUOTA,
            RejectReason::NasNotAllowed => REFUSED_NAS,
            RejectReason::PortNotAllowed => REFUSED_PORT,
            RejectReason::CalledStationNotAllowed => REFUSED_CALLED_STATION,
            RejectReason::CheckFailed => REFUSED_CHECK,
            RejectReason::MacMismatch => REFUSED_MAC,
            RejectReason::OutsideHours => REFUSED_HOURS,
            RejectReason::UnknownRealm => REFUSED_REALM,
            RejectReason::PolicyUnfit => REFUSED_UNFIT,
            RejectReason::Blocked => REFUSED_BLOCKED,
            RejectReason::TooManySessions => REFUSED_SESSIONS,
            RejectReason::NoPool => REFUSED_NO_POOL,
            RejectReason::PoolExhausted => REFUSED_POOL_EXHAUSTED,
        })
    }

    /// What a way into a service is recognised by.
    pub(super) fn identity(&self, kind: IdentityKind) -> String {
        self.say(match kind {
            IdentityKind::Login => IDENTITY_LOGIN,
            IdentityKind::Circuit => IDENTITY_CIRCUIT,
            IdentityKind::Mac => IDENTITY_MAC,
            IdentityKind::Port => IDENTITY_PORT,
        })
    }

    /// A text with values in it.
    pub(super) fn say_with(&self, key: Key, args: Args<'_>) -> String {
        text(&self.locale, key.0, args)
    }

    /// Why a service is held.
    pub(super) fn hold(&self, reason: HoldReason) -> String {
        self.say(match reason {
            HoldReason::Nonpayment => HOLD_NONPAYMENT,
            HoldReason::Expired => HOLD_EXPIRED,
            HoldReason::Admin => HOLD_ADMIN,
            HoldReason::Abuse => HOLD_ABUSE,
            HoldReason::Pause => HOLD_PAUSE,
            HoldReason::Quota => HOLD_QUOTA,
        })
    }

    /// The name of a setting, by its key.
    pub(super) fn setting(&self, key: &str) -> String {
        text(&self.locale, &derived("setting", key), &[])
    }

    /// What else is said of a setting.
    pub(super) fn setting_hint(&self, key: &str) -> Option<String> {
        let key = format!("{}-hint", derived("setting", key));
        model::text::has(&key).then(|| text(&self.locale, &key, &[]))
    }

    /// The name of a group of settings.
    pub(super) fn setting_group(&self, group: &str) -> String {
        text(&self.locale, &derived("setting-group", group), &[])
    }

    /// The name of a word that a setting may have; many are their own name.
    pub(super) fn setting_choice(&self, word: &str) -> String {
        let key = derived("setting-choice", word);
        if model::text::has(&key) { text(&self.locale, &key, &[]) } else { word.to_owned() }
    }

    /// The name of a module, or of a part of one.
    pub(super) fn module(&self, name: &str) -> String {
        text(&self.locale, &derived("module", name), &[])
    }

    /// English, in UTC.
    pub(super) fn english() -> Self {
        Self { locale: "en".to_owned(), calendar: Calendar::default() }
    }

    // What descriptions are called. The key follows from the description's own words, so that
    // an entity needs texts and no code here; a test walks every entity.

    /// One record of an entity: "Customer".
    pub(super) fn entity(&self, entity: &Entity) -> String {
        self.first(&[&format!("entity-{}", entity.name)], entity.name)
    }

    /// Its records: "Customers".
    pub(super) fn entities(&self, entity: &Entity) -> String {
        self.first(&[&format!("entity-{}-many", entity.name)], entity.path)
    }

    /// As [`Words::entity`], within a sentence.
    pub(super) fn entity_within(&self, entity: &Entity) -> String {
        within(&self.entity(entity))
    }

    /// As [`Words::entities`], within a sentence.
    pub(super) fn entities_within(&self, entity: &Entity) -> String {
        within(&self.entities(entity))
    }

    /// What to do where there is no record yet.
    pub(super) fn nothing_yet(&self, entity: &Entity) -> String {
        let own = format!("entity-{}-none", entity.name);
        if has(&own) {
            return text(&self.locale, &own, &[]);
        }
        self.say_with(LIST_EMPTY, &[("many", self.entities_within(entity).into())])
    }

    /// The label of a field.
    pub(super) fn field(&self, entity: &Entity, field: &str) -> String {
        self.first(&Self::field_keys(entity, field), field)
    }

    /// The keys a field's label may have, the nearest first.
    fn field_keys(entity: &Entity, field: &str) -> [String; 2] {
        [format!("field-{}-{field}", entity.name), format!("field-{field}")]
    }

    /// What fields that stand together are called.
    pub(super) fn group(&self, group: &str) -> String {
        self.first(&[format!("group-{}", group.replace('_', "-"))], group)
    }

    /// A sentence below the label, where there is one.
    pub(super) fn hint(&self, entity: &Entity, field: &str) -> Option<String> {
        let keys = [format!("hint-{}-{field}", entity.name), format!("hint-{field}")];
        keys.iter().find(|key| has(key)).map(|key| text(&self.locale, key, &[]))
    }

    /// A word of a choice.
    pub(super) fn choice(&self, entity: &Entity, field: &str, word: &str) -> String {
        self.first(&Self::choice_keys(entity, field, word), word)
    }

    fn choice_keys(entity: &Entity, field: &str, word: &str) -> [String; 3] {
        let word: String =
            word.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        [
            format!("choice-{}-{field}-{word}", entity.name),
            format!("choice-{field}-{word}"),
            format!("choice-{word}"),
        ]
    }

    /// What was done, as the audit log calls it.
    pub(super) fn action(&self, action: &str) -> String {
        // It stands within a sentence, after the record.
        within(&self.first(&[format!("action-{}", action.replace('_', "-"))], action))
    }

    /// What an action is called on its button: "Suspend".
    pub(super) fn deed(&self, entity: &Entity, action: &Action) -> String {
        let [name, ..] = Self::deed_keys(entity, action);
        self.first(&[name], action.name)
    }

    /// What is said once it is done.
    pub(super) fn deed_done(&self, entity: &Entity, action: &Action) -> String {
        let [_, done, _] = Self::deed_keys(entity, action);
        text(&self.locale, &done, &[])
    }

    /// What is asked before it is done.
    pub(super) fn deed_question(&self, entity: &Entity, action: &Action, args: Args<'_>) -> String {
        let [_, _, question] = Self::deed_keys(entity, action);
        text(&self.locale, &question, args)
    }

    /// The keys of an action: its name, what is said once it is done, what is asked before.
    pub(super) fn deed_keys(entity: &Entity, action: &Action) -> [String; 3] {
        let name = format!("act-{}-{}", entity.name, action.name);
        [name.clone(), format!("{name}-done"), format!("{name}-question")]
    }

    /// What the button says that deletes a record: tokens are revoked.
    pub(super) fn delete(&self, entity: &Entity) -> String {
        let own = format!("entity-{}-delete", entity.name);
        if has(&own) { text(&self.locale, &own, &[]) } else { self.say(RECORD_DELETE) }
    }

    /// The name of a group of permissions, such as `customers`.
    pub(super) fn permission_group(&self, group: &str) -> String {
        self.first(&[format!("permission-group-{group}")], group)
    }

    /// The verb of permissions, such as `view`.
    pub(super) fn permission_verb(&self, verb: &str) -> String {
        self.first(&[format!("permission-verb-{verb}")], verb)
    }

    /// What a permission allows: `customers.view` is "See customers".
    pub(super) fn permission(&self, name: &str) -> String {
        self.first(&[derived("permission", name)], name)
    }

    /// The first of some keys that the catalogue has; else the word itself, made readable.
    fn first<T: AsRef<str>>(&self, keys: &[T], word: &str) -> String {
        match keys.iter().map(AsRef::as_ref).find(|key| has(key)) {
            Some(key) => text(&self.locale, key, &[]),
            None => readable(word),
        }
    }
}

impl Default for Words {
    fn default() -> Self {
        Self::english()
    }
}

/// "Customer" → "customer", and "NAS" stays.
fn within(name: &str) -> String {
    let mut letters = name.chars();
    match (letters.next(), letters.clone().next()) {
        (Some(first), Some(second)) if !second.is_uppercase() => {
            first.to_lowercase().chain(letters).collect()
        }
        _ => name.to_owned(),
    }
}

/// `paid_until` → `Paid until`.
pub(super) fn readable(word: &str) -> String {
    let spaced = word.replace(['_', '-'], " ");
    let mut letters = spaced.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

/// The key of a text that is named after something else: `business.tax_id` of the settings is
/// `setting-business-tax-id`.
fn derived(what: &str, name: &str) -> String {
    format!("{what}-{}", name.replace(['.', '_'], "-"))
}

macro_rules! keys {
    ($($name:ident = $key:literal;)*) => {
        $( pub(super) const $name: Key = Key($key); )*

        #[cfg(test)]
        const ALL: &[Key] = &[$($name),*];
    };
}

keys! {
    // Every page.
    LANGUAGE = "console-language";
    DIRECTION = "console-direction";
    PRODUCT = "console-product";
    TITLE = "console-title";
    SKIP = "console-skip";
    NAVIGATION = "console-navigation";
    NAV_OVERVIEW = "console-nav-overview";
    NAV_SERVICES = "console-nav-services";
    NAV_SESSIONS = "console-nav-sessions";
    NAV_AUTH_LOG = "console-nav-auth-log";
    SIGN_OUT = "console-sign-out";
    FOOTER = "console-footer";
    UPDATED = "console-updated";
    NONE = "console-none";
    PAGER = "console-pager";
    OLDER = "console-older";
    NEWEST = "console-newest";
    SEARCH = "console-search";
    AWAY = "console-away";

    // Times, durations and amounts.
    AGO_NOW = "console-ago-now";
    AGO_MINUTES = "console-ago-minutes";
    AGO_HOURS = "console-ago-hours";
    AGO_DAYS = "console-ago-days";
    LASTS_SECONDS = "console-lasts-seconds";
    LASTS_MINUTES = "console-lasts-minutes";
    LASTS_HOURS = "console-lasts-hours";
    LASTS_DAYS = "console-lasts-days";
    PRICE_PER = "console-price-per";
    PRICE_NONE = "console-price-none";
    PERIOD_MONTH = "console-period-month";
    PERIOD_QUARTER = "console-period-quarter";
    PERIOD_HALF_YEAR = "console-period-half-year";
    PERIOD_YEAR = "console-period-year";
    RATE_UNLIMITED = "console-rate-unlimited";

    // The steps of signing in, and one's own account.
    STEP_CODE = "console-step-code";
    STEP_CODE_TITLE = "console-step-code-title";
    STEP_CODE_TEXT = "console-step-code-text";
    STEP_ENROLMENT_TITLE = "console-step-enrolment-title";
    STEP_ENROLMENT_TEXT = "console-step-enrolment-text";
    STEP_ENROLMENT_LINK = "console-step-enrolment-link";
    STEP_ENROLMENT_SUBMIT = "console-step-enrolment-submit";
    STEP_PASSWORD_TITLE = "console-step-password-title";
    STEP_PASSWORD_TEXT = "console-step-password-text";
    PASSWORD_NOW = "console-password-now";
    PASSWORD_NEW = "console-password-new";
    PASSWORD_HINT = "console-password-hint";
    PASSWORD_SUBMIT = "console-password-submit";
    LINK_TITLE = "console-link-title";
    LINK_TEXT = "console-link-text";
    RECOVERY_TITLE = "console-recovery-title";
    RECOVERY_TEXT = "console-recovery-text";
    RECOVERY_FURTHER = "console-recovery-further";
    RECOVERY_LEFT = "console-recovery-left";
    RECOVERY_RENEW = "console-recovery-renew";
    ACCOUNT_TITLE = "console-account-title";
    ACCOUNT_PASSWORD = "console-account-password";
    ACCOUNT_SECOND_FACTOR = "console-account-second-factor";
    ACCOUNT_SECOND_FACTOR_ON = "console-account-second-factor-on";
    ACCOUNT_SECOND_FACTOR_OFF = "console-account-second-factor-off";
    ACCOUNT_SECOND_FACTOR_BEGIN = "console-account-second-factor-begin";
    ACCOUNT_SECOND_FACTOR_DISABLE = "console-account-second-factor-disable";
    ACCOUNT_SESSIONS = "console-account-sessions";
    ACCOUNT_SESSION_BROWSER = "console-account-session-browser";
    ACCOUNT_SESSION_ADDRESS = "console-account-session-address";
    ACCOUNT_SESSION_SEEN = "console-account-session-seen";
    ACCOUNT_SESSION_THIS = "console-account-session-this";
    ACCOUNT_SESSION_END = "console-account-session-end";
    ACCOUNT_SESSIONS_END = "console-account-sessions-end";
    IMPERSONATION = "console-impersonation";
    IMPERSONATION_STOP = "console-impersonation-stop";
    DONE_PASSWORD_CHANGED = "console-done-password-changed";
    DONE_SECOND_FACTOR_OFF = "console-done-second-factor-off";
    DONE_SESSIONS_ENDED = "console-done-sessions-ended";

    // Faults.
    FAULT_NOT_FOUND = "console-fault-not-found";
    FAULT_NOT_FOUND_NEXT = "console-fault-not-found-next";
    FAULT_INVALID = "console-fault-invalid";
    FAULT_INVALID_NEXT = "console-fault-invalid-next";
    FAULT_CONFLICT = "console-fault-conflict";
    FAULT_STALE = "console-fault-stale";
    FAULT_STALE_NEXT = "console-fault-stale-next";
    FAULT_FOREIGN = "console-fault-foreign";
    FAULT_FOREIGN_NEXT = "console-fault-foreign-next";
    FAULT_FORBIDDEN = "console-fault-forbidden";
    FAULT_FORBIDDEN_NEXT = "console-fault-forbidden-next";
    FAULT_TOO_MANY = "console-fault-too-many";
    FAULT_TOO_MANY_NEXT = "console-fault-too-many-next";
    FAULT_UNAVAILABLE = "console-fault-unavailable";
    FAULT_UNAVAILABLE_NEXT = "console-fault-unavailable-next";
    FAULT_INTERNAL = "console-fault-internal";
    FAULT_INTERNAL_NEXT = "console-fault-internal-next";
    FAULT_UNAUTHENTICATED = "console-fault-unauthenticated";
    FAULT_REQUEST_ID = "console-fault-request-id";
    FAULT_HOME = "console-fault-home";

    // Forms.
    FORM_PROBLEMS = "console-form-problems";
    FORM_FIELD_WRONG = "console-form-field-wrong";
    FORM_OPTIONAL = "console-form-optional";
    FORM_CHOOSE = "console-form-choose";
    FORM_CANCEL = "console-form-cancel";

    // What was done.
    DONE_IDENTITY_ADDED = "console-done-identity-added";
    DONE_IDENTITY_REMOVED = "console-done-identity-removed";
    DONE_PLAN_CHANGED = "console-done-plan-changed";
    DONE_STALE = "console-done-stale";

    // Sign-in.
    LOGIN_TITLE = "console-login-title";
    LOGIN_EMAIL = "console-login-email";
    LOGIN_PASSWORD = "console-login-password";
    LOGIN_SUBMIT = "console-login-submit";
    LOGIN_WRONG = "console-login-wrong";
    LOGIN_ENDED = "console-login-ended";
    LOGIN_TOO_MANY = "console-login-too-many";
    PROVIDER_OR = "console-provider-or";
    PROVIDER_WITH = "console-provider-with";
    PROVIDER_GOING = "console-provider-going";
    PROVIDER_GO_ON = "console-provider-go-on";
    PROVIDER_NO_ADDRESS = "console-provider-no-address";
    PROVIDER_FOREIGN = "console-provider-foreign";
    PROVIDER_CANCELLED = "console-provider-cancelled";
    PROVIDER_SILENT = "console-provider-silent";
    PROVIDER_UNTRUE = "console-provider-untrue";
    PROVIDER_STRANGER = "console-provider-stranger";
    PROVIDER_REGISTER = "console-provider-register";
    PROVIDER_REGISTER_TEXT = "console-provider-register-text";
    PROVIDER_LINK_TEXT = "console-provider-link-text";
    PROVIDER_CHECK = "console-provider-check";
    PROVIDER_CHECK_GO = "console-provider-check-go";
    PROVIDER_NOT_CHECKED = "console-provider-not-checked";
    PROVIDER_WELL = "console-provider-well";
    PROVIDER_BADLY = "console-provider-badly";

    // Overview.
    OVERVIEW_FIGURES = "console-overview-figures";
    TILE_CUSTOMERS = "console-tile-customers";
    TILE_SERVICES = "console-tile-services";
    TILE_HELD = "console-tile-held";
    TILE_NONE_HELD = "console-tile-none-held";
    TILE_SESSIONS = "console-tile-sessions";
    TILE_NAS = "console-tile-nas";
    OVERVIEW_SESSIONS = "console-overview-sessions";
    OVERVIEW_ALL_SESSIONS = "console-overview-all-sessions";
    OVERVIEW_ACTIVITY = "console-overview-activity";
    OVERVIEW_NO_ACTIVITY = "console-overview-no-activity";
    FIRST_STEPS = "console-first-steps";
    FIRST_STEPS_TEXT = "console-first-steps-text";
    FIRST_STEP_PLAN = "console-first-step-plan";
    FIRST_STEP_NAS = "console-first-step-nas";
    FIRST_STEP_CUSTOMER = "console-first-step-customer";

    // Activity.
    ACT_CUSTOMER_CREATED = "console-act-customer-created";
    ACT_PLAN_CREATED = "console-act-plan-created";
    ACT_SERVICE_CREATED = "console-act-service-created";
    ACT_SERVICE_PLAN_CHANGED = "console-act-service-plan-changed";
    ACT_SERVICE_SUSPENDED = "console-act-service-suspended";
    ACT_SERVICE_ACTIVATED = "console-act-service-activated";
    ACT_NAS_CREATED = "console-act-nas-created";
    ACT_NAS_SEEN = "console-act-nas-seen";
    ACT_CLIENT_CREATED = "console-act-client-created";
    ACT_CLIENT_SECRET = "console-act-client-secret";
    ACT_OTHER = "console-act-other";
    BY_STAFF = "console-by-staff";
    BY_TOKEN = "console-by-token";
    BY_SYSTEM = "console-by-system";

    // The traffic chart.
    CHART_TITLE = "console-chart-title";
    CHART_DESCRIPTION = "console-chart-description";
    CHART_DOWNLOAD = "console-chart-download";
    CHART_UPLOAD = "console-chart-upload";
    CHART_EMPTY = "console-chart-empty";

    // Customers.
    CUSTOMER_SERVICES = "console-customer-services";
    CUSTOMER_NO_SERVICES = "console-customer-no-services";
    CUSTOMER_SESSIONS = "console-customer-sessions";
    CUSTOMER_NO_SESSIONS = "console-customer-no-sessions";

    // Services.
    SERVICE_NO_LOGIN = "console-service-no-login";
    SERVICE_PLAN = "console-service-plan";
    SERVICE_SINCE = "console-service-since";
    SERVICE_ACTIVE = "console-service-active";
    SERVICE_SPEED = "console-service-speed";
    SERVICE_ADDRESS = "console-service-address";
    SERVICE_EXPIRES = "console-service-expires";
    SERVICE_ALL_SESSIONS = "console-service-all-sessions";
    SERVICE_SUSPEND = "console-service-suspend";
    SERVICE_SUSPEND_CONFIRM = "console-service-suspend-confirm";
    SERVICE_ACTIVATE = "console-service-activate";
    SERVICE_CHANGE_PLAN = "console-service-change-plan";
    SERVICE_NEW_PLAN = "console-service-new-plan";
    SERVICE_ADD = "console-service-add";
    HOLD_SINCE = "console-hold-since";
    HOLD_REJECT = "console-hold-reject";
    HOLD_GARDEN = "console-hold-garden";
    HOLD_BILLING = "console-hold-billing";
    HOLD_NONPAYMENT = "console-hold-nonpayment";
    HOLD_EXPIRED = "console-hold-expired";
    HOLD_ADMIN = "console-hold-admin";
    HOLD_ABUSE = "console-hold-abuse";
    HOLD_PAUSE = "console-hold-pause";
    HOLD_QUOTA = "console-hold-quota";

    // Sessions.
    SESSIONS_TITLE = "console-sessions-title";
    SESSIONS_EMPTY = "console-sessions-empty";
    SESSIONS_NOT_FOUND = "console-sessions-not-found";
    SESSIONS_SHOW = "console-sessions-show";
    SESSIONS_OPEN = "console-sessions-open";
    SESSIONS_CLOSED = "console-sessions-closed";
    SESSIONS_ALL = "console-sessions-all";
    SESSION_LOGIN = "console-session-login";
    SESSION_NAS = "console-session-nas";
    SESSION_IP = "console-session-ip";
    SESSION_MAC = "console-session-mac";
    SESSION_STARTED = "console-session-started";
    SESSION_DURATION = "console-session-duration";
    SESSION_DOWNLOAD = "console-session-download";
    SESSION_UPLOAD = "console-session-upload";
    SESSION_STATE = "console-session-state";
    SESSION_OPEN = "console-session-open";
    SESSION_CLOSED = "console-session-closed";
    SESSION_UNKNOWN_NAS = "console-session-unknown-nas";
    SESSION_UNKNOWN_LOGIN = "console-session-unknown-login";

    // Refused logins.
    AUTH_LOG_TITLE = "console-auth-log-title";
    AUTH_LOG_EMPTY = "console-auth-log-empty";
    AUTH_LOG_NOT_FOUND = "console-auth-log-not-found";
    AUTH_LOG_ALL = "console-auth-log-all";
    AUTH_LOG_LAST = "console-auth-log-last";
    AUTH_LOG_REASON = "console-auth-log-reason";
    AUTH_LOG_ANY_REASON = "console-auth-log-any-reason";
    AUTH_LOG_ATTEMPTS = "console-auth-log-attempts";
    REFUSED_UNKNOWN_LOGIN = "console-refused-unknown-login";
    REFUSED_WRONG_PASSWORD = "console-refused-wrong-password";
    REFUSED_NO_CREDENTIALS = "console-refused-no-credentials";
    REFUSED_METHOD = "console-refused-method";
    REFUSED_NO_PROFILE = "console-refused-no-profile";
    REFUSED_EXPIRED = "console-refused-expired";
    REFUSED_NONPAYMENT = "console-refused-nonpayment";
    REFUSED_ADMIN = "console-refused-admin";
    REFUSED_ABUSE = "console-refused-abuse";
    REFUSED_PAUSE = "console-refused-pause";
    REFUSED_QUOTA = "console-refused-quota";
    REFUSED_NAS = "console-refused-nas";
    REFUSED_PORT = "console-refused-port";
    REFUSED_CALLED_STATION = "console-refused-called-station";
    REFUSED_CHECK = "console-refused-check";
    REFUSED_MAC = "console-refused-mac";
    REFUSED_HOURS = "console-refused-hours";
    REFUSED_REALM = "console-refused-realm";
    REFUSED_UNFIT = "console-refused-unfit";
    REFUSED_BLOCKED = "console-refused-blocked";
    REFUSED_SESSIONS = "console-refused-sessions";
    REFUSED_NO_POOL = "console-refused-no-pool";
    REFUSED_POOL_EXHAUSTED = "console-refused-pool-exhausted";

    // The ways into a service.
    IDENTITIES_TITLE = "console-identities-title";
    IDENTITIES_ABOUT = "console-identities-about";
    IDENTITY_KIND = "console-identity-kind";
    IDENTITY_VALUE = "console-identity-value";
    IDENTITY_CHANGE = "console-identity-change";
    IDENTITY_PASSWORD = "console-identity-password";
    IDENTITY_PASSWORD_HINT = "console-identity-password-hint";
    IDENTITY_NAS = "console-identity-nas";
    IDENTITY_NO_NAS = "console-identity-no-nas";
    IDENTITY_ADD = "console-identity-add";
    IDENTITY_ADDING = "console-identity-adding";
    IDENTITY_REMOVE = "console-identity-remove";
    IDENTITY_REMOVE_CONFIRM = "console-identity-remove-confirm";
    IDENTITY_LOGIN = "console-identity-login";
    IDENTITY_CIRCUIT = "console-identity-circuit";
    IDENTITY_MAC = "console-identity-mac";
    IDENTITY_PORT = "console-identity-port";
    IDENTITY_WITH_PASSWORD = "console-identity-with-password";
    IDENTITY_WITHOUT_PASSWORD = "console-identity-without-password";

    // Settings, modules, branding, organisations and setup: what is shared.
    NAV_ORGANISATIONS = "console-nav-organisations";
    NAV_SETTINGS = "console-nav-settings";
    FORM_SAVE = "console-form-save";
    YES = "console-yes";
    NO = "console-no";
    DONE_SETTINGS_CHANGED = "console-done-settings-changed";
    DONE_MODULES_CHANGED = "console-done-modules-changed";
    DONE_ORGANISATION_CREATED = "console-done-organisation-created";
    DONE_ORGANISATION_MOVED = "console-done-organisation-moved";

    // Settings.
    SETTINGS_TITLE = "console-settings-title";
    SETTINGS_FROM = "console-settings-from";
    SETTINGS_OWN = "console-settings-own";
    SETTINGS_DEFAULT = "console-settings-default";
    SETTINGS_ENTITY = "console-settings-entity";
    SETTINGS_RESET = "console-settings-reset";
    MODULES_TITLE = "console-modules-title";
    MODULES_TEXT = "console-modules-text";
    MODULES_OFF_AT = "console-modules-off-at";
    MODULES_FIXED = "console-modules-fixed";
    BRANDING_TITLE = "console-branding-title";
    BRANDING_FILE = "console-branding-file";
    BRANDING_FILE_HINT = "console-branding-file-hint";
    BRANDING_SEND = "console-branding-send";
    BRANDING_REMOVE = "console-branding-remove";

    // Organisations.
    ORGANISATIONS_TITLE = "console-organisations-title";
    ORGANISATIONS_NEW = "console-organisations-new";
    ORGANISATIONS_MORE = "console-organisations-more";
    ORGANISATION_PARENT = "console-organisation-parent";
    ORGANISATION_KIND = "console-organisation-kind";
    ORGANISATION_NAME = "console-organisation-name";
    ORGANISATION_ADDRESS = "console-organisation-address";
    ORGANISATION_ENTITY = "console-organisation-entity";
    ORGANISATION_ENTITY_HINT = "console-organisation-entity-hint";
    ORGANISATION_CURRENCY = "console-organisation-currency";
    ORGANISATION_CURRENCY_HINT = "console-organisation-currency-hint";
    ORGANISATION_ZONE = "console-organisation-zone";
    ORGANISATION_INHERITS = "console-organisation-inherits";
    ORGANISATION_LEVEL = "console-organisation-level";
    ORGANISATION_ISP = "console-organisation-isp";
    ORGANISATION_PARTNER = "console-organisation-partner";
    ORGANISATION_BRANCH = "console-organisation-branch";
    ORGANISATION_CREATE = "console-organisation-create";
    ORGANISATION_MOVE = "console-organisation-move";
    ORGANISATION_MOVE_TEXT = "console-organisation-move-text";

    // The forms of the setup.
    NAS_ADDRESS = "console-nas-address";
    NAS_ADDRESS_HINT = "console-nas-address-hint";
    NAS_COA_PORT = "console-nas-coa-port";
    NAS_COA_PORT_HINT = "console-nas-coa-port-hint";
    NAS_NAME = "console-nas-name";
    NAS_NAME_HINT = "console-nas-name-hint";
    NAS_SECRET = "console-nas-secret";
    NAS_SECRET_HINT = "console-nas-secret-hint";
    NAS_VENDOR = "console-nas-vendor";
    POOL_USAGE = "console-pool-usage";
    POOL_USAGE_NONE = "console-pool-usage-none";
    POOL_USAGE_AT = "console-pool-usage-at";
    POOL_PART = "console-pool-part";
    POOL_PART_IPV4 = "console-pool-part-ipv4";
    POOL_PART_IPV6 = "console-pool-part-ipv6";
    POOL_PART_DELEGATED = "console-pool-part-delegated";
    POOL_TAKEN = "console-pool-taken";
    POOL_USED = "console-pool-used";
    POOL_OFFERED = "console-pool-offered";
    POOL_RESTING = "console-pool-resting";
    POOL_FIXED = "console-pool-fixed";
    POOL_FREE = "console-pool-free";
    POOL_TOTAL = "console-pool-total";
    FIT_TITLE = "console-fit-title";
    FIT_INTRO = "console-fit-intro";
    FIT_NONE = "console-fit-none";
    FIT_VENDOR = "console-fit-vendor";
    FIT_FITS = "console-fit-fits";
    FIT_REFUSES = "console-fit-refuses";
    FIT_PARTLY = "console-fit-partly";
    FIT_FINDING = "console-fit-finding";
    FIT_LEFT_OUT = "console-fit-left-out";
    FIT_STATE = "console-fit-state";
    FIT_FINDINGS = "console-fit-findings";
    FIT_WARNINGS = "console-fit-warnings";
    FIT_NOT_CARRIED = "console-fit-not-carried";
    FIT_IPV6_NOT_CARRIED = "console-fit-ipv6-not-carried";
    FIT_TOO_HIGH = "console-fit-too-high";
    FIT_ZERO = "console-fit-zero";
    FIT_NOT_WHOLE = "console-fit-not-whole";
    FIT_ONE_SIDED = "console-fit-one-sided";
    FIT_NO_NAME = "console-fit-no-name";
    FIT_NAME_IS_PLANS = "console-fit-name-is-plans";
    FIT_SHAPER = "console-fit-shaper";
    FIT_CANNOT_LIFT = "console-fit-cannot-lift";
    FIT_NOT_LIVE = "console-fit-not-live";
    FIT_TOO_LONG = "console-fit-too-long";
    FIT_PACKET_FULL = "console-fit-packet-full";
    PLAN_DOWNLOAD = "console-plan-download";
    PLAN_NAME = "console-plan-name";
    PLAN_NAME_HINT = "console-plan-name-hint";
    PLAN_PERIOD = "console-plan-period";
    PLAN_PRICE = "console-plan-price";
    PLAN_PRICE_HINT = "console-plan-price-hint";
    PLAN_PRICE_WRONG = "console-plan-price-wrong";
    PLAN_RATE_HINT = "console-plan-rate-hint";
    PLAN_RATE_WRONG = "console-plan-rate-wrong";
    PLAN_UPLOAD = "console-plan-upload";

    // Setup.
    SETUP_TITLE = "console-setup-title";
    SETUP_PROGRESS = "console-setup-progress";
    SETUP_RESUME = "console-setup-resume";
    SETUP_BUSINESS = "console-setup-business";
    SETUP_BUSINESS_TEXT = "console-setup-business-text";
    SETUP_OPERATION = "console-setup-operation";
    SETUP_OPERATION_TEXT = "console-setup-operation-text";
    SETUP_PLAN = "console-setup-plan";
    SETUP_PLAN_TEXT = "console-setup-plan-text";
    SETUP_NAS = "console-setup-nas";
    SETUP_NAS_TEXT = "console-setup-nas-text";
    SETUP_STAFF = "console-setup-staff";
    SETUP_STAFF_TEXT = "console-setup-staff-text";
    SETUP_STAFF_GO = "console-setup-staff-go";
    SETUP_STEP_DONE = "console-setup-step-done";
    SETUP_ROUTER = "console-setup-router";
    SETUP_DONE = "console-setup-done";
    SETUP_CREATE = "console-setup-create";
    SETUP_NEXT = "console-setup-next";
    SETUP_SKIP = "console-setup-skip";
    SETUP_OPEN = "console-setup-open";
    SETUP_FINISHED = "console-setup-finished";
    SETUP_CLOSE = "console-setup-close";
    SETUP_LEAVE = "console-setup-leave";
    // The frame.
    MENU = "console-menu";
    CLOSE = "console-close";
    NAV_GROUP_CUSTOMERS = "console-nav-group-customers";
    NAV_GROUP_NETWORK = "console-nav-group-network";
    NAV_GROUP_CATALOGUE = "console-nav-group-catalogue";
    NAV_GROUP_BILLING = "console-nav-group-billing";
    NAV_GROUP_SUPPORT = "console-nav-group-support";
    NAV_GROUP_AUTOMATION = "console-nav-group-automation";
    NAV_GROUP_ADMINISTRATION = "console-nav-group-administration";
    NAV_AUDIT = "console-nav-audit";
    NAV_ACTIVITY = "console-nav-activity";
    ACCOUNT = "console-account";
    MY_ACCOUNT = "console-my-account";
    KEYS_TITLE = "console-keys-title";
    KEYS_SEARCH = "console-keys-search";
    KEYS_NEW = "console-keys-new";
    KEYS_ROWS = "console-keys-rows";
    KEYS_OPEN = "console-keys-open";
    KEYS_PICK = "console-keys-pick";
    KEYS_EDIT = "console-keys-edit";
    KEYS_FILTER = "console-keys-filter";
    KEYS_LIST = "console-keys-list";
    THEME = "console-theme";
    THEME_AUTO = "console-theme-auto";
    THEME_LIGHT = "console-theme-light";
    THEME_DARK = "console-theme-dark";
    ORGANISATION = "console-organisation";
    ORGANISATION_ALL = "console-organisation-all";
    ORGANISATION_MORE = "console-organisation-more";

    // Global search.
    FIND = "console-find";
    FIND_PLACEHOLDER = "console-find-placeholder";
    FIND_TITLE = "console-find-title";
    FIND_RESULTS = "console-find-results";
    FIND_NOTHING = "console-find-nothing";
    FIND_START = "console-find-start";
    FIND_ALL = "console-find-all";
    FIND_ENTER = "console-find-enter";

    // Lists and records of every kind.
    LIST_NEW = "console-list-new";
    LIST_EMPTY = "console-list-empty";
    LIST_NOTHING = "console-list-nothing";
    LIST_CLEAR = "console-list-clear";
    LIST_SEARCH = "console-list-search";
    LIST_FILTERS = "console-list-filters";
    LIST_FILTER_APPLY = "console-list-filter-apply";
    LIST_FILTER_REMOVE = "console-list-filter-remove";
    LIST_FILTERS_WRONG = "console-list-filters-wrong";
    LIST_FROM = "console-list-from";
    LIST_TO = "console-list-to";
    LIST_CONTAINS = "console-list-contains";
    LIST_ANY = "console-list-any";
    LIST_DELETED = "console-list-deleted";
    LIST_DELETED_SHOW = "console-list-deleted-show";
    LIST_DELETED_HIDE = "console-list-deleted-hide";
    LIST_COLUMNS = "console-list-columns";
    LIST_COLUMNS_TITLE = "console-list-columns-title";
    LIST_COLUMNS_SAVE = "console-list-columns-save";
    LIST_COLUMNS_RESET = "console-list-columns-reset";
    LIST_COLUMN_UP = "console-list-column-up";
    LIST_COLUMN_DOWN = "console-list-column-down";
    LIST_EXPORT = "console-list-export";
    LIST_EXPORT_CSV = "console-list-export-csv";
    LIST_EXPORT_CSV_SEMICOLON = "console-list-export-csv-semicolon";
    LIST_EXPORT_XLSX = "console-list-export-xlsx";
    LIST_EXPORT_JSON = "console-list-export-json";
    LIST_EXPORT_PDF = "console-list-export-pdf";
    LIST_EXPORT_BACKGROUND = "console-list-export-background";
    EXPORT_READY = "console-export-ready";
    EXPORT_UNTIL = "console-export-until";
    EXPORT_FETCH = "console-export-fetch";
    EXPORT_BROKEN = "console-export-broken";
    EXPORT_PURGED = "console-export-purged";
    EXPORT_MAKING = "console-export-making";
    EXPORT_MAKING_HINT = "console-export-making-hint";
    MAIL_SERVER_OWN = "console-mail-server";
    STAFF_LINK_MAILED = "console-staff-link-mailed";
    LIST_IMPORT = "console-list-import";
    LIST_SIZE = "console-list-size";
    LIST_SIZE_SET = "console-list-size-set";
    LIST_RANGE = "console-list-range";
    LIST_RANGE_MORE = "console-list-range-more";
    LIST_BEFORE = "console-list-before";
    LIST_NEXT = "console-list-next";
    LIST_PICK = "console-list-pick";
    LIST_PICK_ALL = "console-list-pick-all";
    LIST_PICKED = "console-list-picked";
    LIST_PICK_MATCHING = "console-list-pick-matching";
    LIST_SORT = "console-list-sort";
    BULK_ACTION = "console-bulk-action";
    BULK_GO = "console-bulk-go";
    BULK_DELETE = "console-bulk-delete";
    BULK_SET = "console-bulk-set";
    BULK_TITLE = "console-bulk-title";
    BULK_NONE = "console-bulk-none";
    BULK_CONFIRM = "console-bulk-confirm";
    BULK_AND_MORE = "console-bulk-and-more";
    BULK_YES = "console-bulk-yes";

    // Importing.
    IMPORT_NEW = "console-import-new";
    IMPORT_CHOOSE = "console-import-choose";
    IMPORT_TITLE = "console-import-title";
    IMPORT_STEPS = "console-import-steps";
    IMPORT_STEP_FILE = "console-import-step-file";
    IMPORT_STEP_COLUMNS = "console-import-step-columns";
    IMPORT_STEP_TRIAL = "console-import-step-trial";
    IMPORT_STEP_RESULT = "console-import-step-result";
    IMPORT_FILE = "console-import-file";
    IMPORT_FILE_HINT = "console-import-file-hint";
    IMPORT_FILE_MISSING = "console-import-file-missing";
    IMPORT_FORMAT = "console-import-format";
    IMPORT_FORMAT_CSV = "console-import-format-csv";
    IMPORT_FORMAT_XLSX = "console-import-format-xlsx";
    IMPORT_FORMAT_JSON = "console-import-format-json";
    IMPORT_FORMAT_JSON_LINES = "console-import-format-json-lines";
    IMPORT_DELIMITER = "console-import-delimiter";
    IMPORT_FIND_OUT = "console-import-find-out";
    IMPORT_SHEET = "console-import-sheet";
    IMPORT_HEADER = "console-import-header";
    IMPORT_UPLOAD = "console-import-upload";
    IMPORT_REFUSED = "console-import-refused";
    IMPORT_TEMPLATE = "console-import-template";
    IMPORT_TEMPLATE_TEXT = "console-import-template-text";
    IMPORT_FIELDS = "console-import-fields";
    IMPORT_FIELD = "console-import-field";
    IMPORT_FIELD_COLUMN = "console-import-field-column";
    IMPORT_FIELD_ABOUT = "console-import-field-about";
    IMPORT_FIELD_REQUIRED = "console-import-field-required";
    IMPORT_TARGET_ID = "console-import-target-id";
    IMPORT_TARGET_CURRENCY = "console-import-target-currency";
    IMPORT_COLUMNS = "console-import-columns";
    IMPORT_COLUMNS_TEXT = "console-import-columns-text";
    IMPORT_COLUMNS_WRONG = "console-import-columns-wrong";
    IMPORT_COLUMN = "console-import-column";
    IMPORT_SAMPLES = "console-import-samples";
    IMPORT_MEANS = "console-import-means";
    IMPORT_MEANS_OF = "console-import-means-of";
    IMPORT_LEAVE_OUT = "console-import-leave-out";
    IMPORT_RULES = "console-import-rules";
    IMPORT_MATCH = "console-import-match";
    IMPORT_MATCH_HINT = "console-import-match-hint";
    IMPORT_MATCH_NONE = "console-import-match-none";
    IMPORT_EXISTING = "console-import-existing";
    IMPORT_EXISTING_HINT = "console-import-existing-hint";
    IMPORT_EXISTING_UPDATE = "console-import-existing-update";
    IMPORT_EXISTING_SKIP = "console-import-existing-skip";
    IMPORT_EMPTY = "console-import-empty";
    IMPORT_EMPTY_HINT = "console-import-empty-hint";
    IMPORT_EMPTY_KEEP = "console-import-empty-keep";
    IMPORT_EMPTY_CLEAR = "console-import-empty-clear";
    IMPORT_VALUE = "console-import-value";
    IMPORT_VALUE_SECRET = "console-import-value-secret";
    IMPORT_MISSING = "console-import-missing";
    IMPORT_TRY = "console-import-try";
    IMPORT_LOOK = "console-import-look";
    IMPORT_PREVIEW = "console-import-preview";
    IMPORT_PREVIEW_TEXT = "console-import-preview-text";
    IMPORT_ROW = "console-import-row";
    IMPORT_BAD_ROW = "console-import-bad-row";
    IMPORT_WHY = "console-import-why";
    IMPORT_COUNTS = "console-import-counts";
    IMPORT_WOULD_CREATE = "console-import-would-create";
    IMPORT_WOULD_UPDATE = "console-import-would-update";
    IMPORT_WOULD_SKIP = "console-import-would-skip";
    IMPORT_WOULD_FAIL = "console-import-would-fail";
    IMPORT_CREATED = "console-import-created";
    IMPORT_UPDATED = "console-import-updated";
    IMPORT_SKIPPED = "console-import-skipped";
    IMPORT_FAILED = "console-import-failed";
    IMPORT_TRYING = "console-import-trying";
    IMPORT_RUNNING = "console-import-running";
    IMPORT_UNDOING = "console-import-undoing";
    IMPORT_MAY_LEAVE = "console-import-may-leave";
    IMPORT_RELOAD = "console-import-reload";
    IMPORT_NOTHING = "console-import-nothing";
    IMPORT_SOME_FAIL = "console-import-some-fail";
    IMPORT_NONE_FAIL = "console-import-none-fail";
    IMPORT_RUN = "console-import-run";
    IMPORT_BACK = "console-import-back";
    IMPORT_TRY_AGAIN = "console-import-try-again";
    IMPORT_FAILURES = "console-import-failures";
    IMPORT_FAILURES_DONE = "console-import-failures-done";
    IMPORT_FAILURES_TEXT = "console-import-failures-text";
    IMPORT_FILE_OF_FAILED = "console-import-file-of-failed";
    IMPORT_FORGOTTEN = "console-import-forgotten";
    IMPORT_WORTH = "console-import-worth";
    IMPORT_WORTH_TEXT = "console-import-worth-text";
    IMPORT_FIRST_ONLY = "console-import-first-only";
    IMPORT_KEPT = "console-import-kept";
    IMPORT_KEPT_TEXT = "console-import-kept-text";
    IMPORT_OPEN = "console-import-open";
    IMPORT_ANOTHER = "console-import-another";
    IMPORT_UNDO = "console-import-undo";
    IMPORT_UNDO_CONFIRM = "console-import-undo-confirm";
    IMPORT_UNDO_UNTIL = "console-import-undo-until";
    IMPORT_UNDO_OVER = "console-import-undo-over";
    IMPORT_UNDONE = "console-import-undone";
    IMPORT_BECOMES = "console-import-becomes";
    IMPORT_BECOMES_NEW = "console-import-becomes-new";
    IMPORT_BECOMES_UPDATED = "console-import-becomes-updated";
    IMPORT_BECOMES_SKIPPED = "console-import-becomes-skipped";
    IMPORT_BECOMES_NOTHING = "console-import-becomes-nothing";
    DELIMITER_COMMA = "console-delimiter-comma";
    DELIMITER_SEMICOLON = "console-delimiter-semicolon";
    DELIMITER_TAB = "console-delimiter-tab";
    DELIMITER_PIPE = "console-delimiter-pipe";

    // One deed for many records, as a job.
    BULK_FIELDS = "console-bulk-fields";
    BULK_FIELDS_TEXT = "console-bulk-fields-text";
    BULK_FIELDS_NONE = "console-bulk-fields-none";
    BULK_LEAVE = "console-bulk-leave";
    BULK_LABEL = "console-bulk-label";
    BULK_UNLABEL = "console-bulk-unlabel";
    BULK_LABEL_NONE = "console-bulk-label-none";
    BULK_NO_LABELS = "console-bulk-no-labels";
    BULK_LABELLED = "console-bulk-labelled";
    BULK_UNLABELLED = "console-bulk-unlabelled";
    BULK_CHANGED_FIELDS = "console-bulk-changed-fields";
    BULK_TITLE_MORE = "console-bulk-title-more";
    BULK_TRY = "console-bulk-try";
    BULK_TRY_HINT = "console-bulk-try-hint";
    BULK_TRIAL = "console-bulk-trial";
    BULK_QUEUED = "console-bulk-queued";
    BULK_RUNNING = "console-bulk-running";
    BULK_CANCELLED = "console-bulk-cancelled";
    BULK_COUNTS = "console-bulk-counts";
    BULK_RECORDS = "console-bulk-records";
    BULK_CHANGED = "console-bulk-changed";
    BULK_FAILED = "console-bulk-failed";
    BULK_WOULD_CHANGE = "console-bulk-would-change";
    BULK_WOULD_FAIL = "console-bulk-would-fail";
    BULK_JOB = "console-bulk-job";
    BULK_RESULTS = "console-bulk-results";
    BULK_ALL = "console-bulk-all";
    BULK_ONLY_FAILED = "console-bulk-only-failed";
    BULK_OUTCOME = "console-bulk-outcome";
    BULK_OUTCOME_CHANGED = "console-bulk-outcome-changed";
    BULK_OUTCOME_WOULD = "console-bulk-outcome-would";
    BULK_OUTCOME_FAILED = "console-bulk-outcome-failed";

    // A list as a file.
    EXPORT_TITLE = "console-export-title";
    EXPORT_FILTERED = "console-export-filtered";
    EXPORT_ALL = "console-export-all";
    EXPORT_HEADER = "console-export-header";
    EXPORT_NO_COLUMN = "console-export-no-column";
    EXPORT_TAKE = "console-export-take";
    EXPORT_KEEP = "console-export-keep";
    EXPORT_KEEP_TEXT = "console-export-keep-text";
    EXPORT_NAME = "console-export-name";
    EXPORT_MORE = "console-export-more";
    RECORD_EDIT = "console-record-edit";
    RECORD_DELETE = "console-record-delete";
    RECORD_DELETE_CONFIRM = "console-record-delete-confirm";
    RECORD_RESTORE = "console-record-restore";
    RECORD_MORE = "console-record-more";
    RECORD_UNDO = "console-record-undo";
    RECORD_DETAILS = "console-record-details";
    RECORD_ACTIVITY = "console-record-activity";
    RECORD_AUDIT = "console-record-audit";
    RECORD_TABS = "console-record-tabs";
    RECORD_CUSTOM = "console-record-custom";
    RECORD_ABOUT = "console-record-about";
    RECORD_ID = "console-record-id";
    RECORD_VERSION = "console-record-version";
    RECORD_NO_RELATED = "console-record-no-related";
    RECORD_ALL_RELATED = "console-record-all-related";
    EDIT_TITLE = "console-edit-title";
    EDIT_SAVE = "console-edit-save";
    EDIT_CREATE = "console-edit-create";
    EDIT_SECRET_KEEP = "console-edit-secret-keep";
    EDIT_LINES = "console-edit-lines";
    EDIT_LOOKUP = "console-edit-lookup";
    EDIT_LOOKUP_NONE = "console-edit-lookup-none";
    EDIT_LOOKUP_MANY = "console-edit-lookup-many";
    EDIT_TIME_HINT = "console-edit-time-hint";
    EDIT_AMOUNT_WRONG = "console-edit-amount-wrong";
    EDIT_RATE_WRONG = "console-edit-rate-wrong";
    EDIT_SPAN_WRONG = "console-edit-span-wrong";
    EDIT_TIME_WRONG = "console-edit-time-wrong";
    EDIT_JSON_WRONG = "console-edit-json-wrong";
    EDIT_YES = "console-edit-yes";
    EDIT_CURRENCY = "console-edit-currency";
    EDIT_UNIT = "console-edit-unit";
    UNIT_MBIT = "console-unit-mbit";
    UNIT_SECONDS = "console-unit-seconds";
    UNIT_MINUTES = "console-unit-minutes";
    UNIT_HOURS = "console-unit-hours";
    UNIT_DAYS = "console-unit-days";
    CONFLICT_TITLE = "console-conflict-title";
    CONFLICT_TEXT_UNKNOWN = "console-conflict-text-unknown";
    CONFLICT_MINE = "console-conflict-mine";
    CONFLICT_THEIRS = "console-conflict-theirs";
    CONFLICT_BEFORE = "console-conflict-before";
    CONFLICT_ALSO = "console-conflict-also";
    CONFLICT_YOURS = "console-conflict-yours";
    CONFLICT_SAVE = "console-conflict-save";
    CONFLICT_LEAVE = "console-conflict-leave";
    DONE_CREATED = "console-done-created";
    DONE_UPDATED = "console-done-updated";
    DONE_DELETED = "console-done-deleted";
    DONE_RESTORED = "console-done-restored";
    DONE_UNCHANGED = "console-done-unchanged";
    MORE = "console-more";

    // The audit log.
    AUDIT_TITLE = "console-audit-title";
    AUDIT_EMPTY = "console-audit-empty";
    AUDIT_AT = "console-audit-at";
    AUDIT_WHO = "console-audit-who";
    AUDIT_WHAT = "console-audit-what";
    AUDIT_RECORD = "console-audit-record";
    AUDIT_ORGANISATION = "console-audit-organisation";
    AUDIT_REQUEST = "console-audit-request";
    AUDIT_ACTION = "console-audit-action";
    AUDIT_ENTITY = "console-audit-entity";
    AUDIT_CATEGORY = "console-audit-category";
    AUDIT_CATEGORY_AUTHENTICATION = "console-audit-category-authentication";
    AUDIT_CATEGORY_FINANCIAL = "console-audit-category-financial";
    AUDIT_CATEGORY_NETWORK = "console-audit-category-network";
    AUDIT_CATEGORY_SYSTEM = "console-audit-category-system";
    AUDIT_CATEGORY_RECORDS = "console-audit-category-records";
    AUDIT_FROM = "console-audit-from";
    AUDIT_TO = "console-audit-to";
    AUDIT_CRITICAL = "console-audit-critical";
    AUDIT_CRITICAL_ONLY = "console-audit-critical-only";
    AUDIT_WEIGHT = "console-audit-weight";
    AUDIT_SEARCH = "console-audit-search";
    AUDIT_TODAY = "console-audit-today";
    AUDIT_WEEK = "console-audit-week";
    AUDIT_MONTH = "console-audit-month";
    AUDIT_SINCE = "console-audit-since";
    AUDIT_EXPORT = "console-audit-export";
    AUDIT_IMPERSONATOR = "console-audit-impersonator";
    AUDIT_FIELD = "console-audit-field";
    AUDIT_BEFORE = "console-audit-before";
    AUDIT_AFTER = "console-audit-after";
    AUDIT_NO_CHANGE = "console-audit-no-change";
    AUDIT_DID = "console-audit-did";
    ACTIVITY_TITLE = "console-activity-title";

    // Staff.
    STAFF_LINK = "console-staff-link";
    STAFF_LINK_TEXT = "console-staff-link-text";
    STAFF_LINK_BACK = "console-staff-link-back";

    // Jobs and their runs.
    JOB_RUN = "console-job-run";
    JOB_STARTED = "console-job-started";
    RUN_CANCEL = "console-run-cancel";
    RUN_CANCELLED = "console-run-cancelled";
    RUN_RETRY = "console-run-retry";
    RUN_LOG = "console-run-log";
    RUN_NO_LOG = "console-run-no-log";
    RUN_PROGRESS = "console-run-progress";

    // Schedules.
    WHEN_NEVER = "console-when-never";
    WHEN_MINUTES = "console-when-minutes";
    WHEN_HOUR = "console-when-hour";
    WHEN_DAY = "console-when-day";
    WHEN_WEEK = "console-when-week";
    WHEN_MONTH = "console-when-month";
    WHEN_LINE = "console-when-line";
    WHEN_STEP = "console-when-step";
    WHEN_AT_MINUTE = "console-when-at-minute";
    WHEN_DAY_OF_MONTH = "console-when-day-of-month";
    WHEN_WEEKDAYS = "console-when-weekdays";
    WHEN_AT = "console-when-at";
    WHEN_CRON = "console-when-cron";
    WHEN_CRON_TEXT = "console-when-cron-text";
    WHEN_SHORT_MONTHS = "console-when-short-months";
    WHEN_PREVIEW = "console-when-preview";
    WHEN_NEXT = "console-when-next";
    WHEN_NUMBER = "console-when-number";
    WHEN_NO_TIME = "console-when-no-time";
    WHEN_NO_DAY = "console-when-no-day";
    SAID_MINUTE = "console-said-minute";
    SAID_MINUTES = "console-said-minutes";
    SAID_HOUR = "console-said-hour";
    SAID_HOURS = "console-said-hours";
    SAID_DAY = "console-said-day";
    SAID_WEEK = "console-said-week";
    SAID_MONTH = "console-said-month";
    SAID_YEAR = "console-said-year";
    SAID_LINE = "console-said-line";
    DAY_MONDAY = "console-day-monday";
    DAY_TUESDAY = "console-day-tuesday";
    DAY_WEDNESDAY = "console-day-wednesday";
    DAY_THURSDAY = "console-day-thursday";
    DAY_FRIDAY = "console-day-friday";
    DAY_SATURDAY = "console-day-saturday";
    DAY_SUNDAY = "console-day-sunday";
    MONTH_1 = "console-month-1";
    MONTH_2 = "console-month-2";
    MONTH_3 = "console-month-3";
    MONTH_4 = "console-month-4";
    MONTH_5 = "console-month-5";
    MONTH_6 = "console-month-6";
    MONTH_7 = "console-month-7";
    MONTH_8 = "console-month-8";
    MONTH_9 = "console-month-9";
    MONTH_10 = "console-month-10";
    MONTH_11 = "console-month-11";
    MONTH_12 = "console-month-12";

    // What is done with records.
    RECORD_ACTIONS = "console-record-actions";
    ACTION_TITLE = "console-action-title";
    LIST_NO_PARAMETER = "console-list-no-parameter";
    COPY = "console-copy";
    COPIED = "console-copied";
    ONCE_KEPT = "console-once-kept";

    // Permissions, roles and tokens.
    RIGHTS_TITLE = "console-rights-title";
    RIGHTS_SEARCH = "console-rights-search";
    RIGHTS_ALL = "console-rights-all";
    RIGHTS_BESIDES = "console-rights-besides";
    RIGHTS_EVERYTHING = "console-rights-everything";
    RIGHTS_NOT_YOURS = "console-rights-not-yours";
    RIGHTS_BEYOND = "console-rights-beyond";
    RIGHTS_GREY = "console-rights-grey";
    ROLE_TEMPLATES = "console-role-templates";
    ROLE_GRANTS = "console-role-grants";
    ROLE_GIVE = "console-role-give";
    ROLE_GIVE_GO = "console-role-give-go";
    ROLE_CLONE = "console-role-clone";
    ROLE_CLONE_NAME = "console-role-clone-name";
    ROLE_COPY_NAME = "console-role-copy-name";
    DONE_ROLE_GIVEN = "console-done-role-given";
    SCOPE_READ = "console-scope-read";
    SCOPE_READ_TEXT = "console-scope-read-text";
    SCOPE_WRITE = "console-scope-write";
    SCOPE_WRITE_TEXT = "console-scope-write-text";
    SCOPE_FULL = "console-scope-full";
    SCOPE_FULL_TEXT = "console-scope-full-text";
    SCOPE_SOME = "console-scope-some";
    TOKEN = "console-token";
    TOKEN_MADE = "console-token-made";
    TOKEN_MADE_TEXT = "console-token-made-text";
    TOKEN_USAGE = "console-token-usage";
    TOKEN_ROTATE = "console-token-rotate";
    TOKEN_ROTATE_TEXT = "console-token-rotate-text";
    TOKEN_ROTATE_GO = "console-token-rotate-go";
    TOKEN_ROTATED = "console-token-rotated";
    TOKEN_ROTATED_TEXT = "console-token-rotated-text";
    GRACE = "console-grace";
    GRACE_NONE = "console-grace-none";
    GRACE_HOUR = "console-grace-hour";
    GRACE_DAY = "console-grace-day";
    GRACE_WEEK = "console-grace-week";
    GRACE_MONTH = "console-grace-month";
    CHART_DAYS = "console-chart-days";
    CHART_DAYS_EMPTY = "console-chart-days-empty";

    // Staff.
    STAFF_SESSIONS = "console-staff-sessions";
    STAFF_NO_SESSIONS = "console-staff-no-sessions";
    STAFF_IMPERSONATE = "console-staff-impersonate";
    STAFF_IMPERSONATE_CONFIRM = "console-staff-impersonate-confirm";

    // Webhooks and their deliveries.
    NAV_DELIVERIES = "console-nav-deliveries";
    HOOK_STARTS = "console-hook-starts";
    HOOK_START_CUSTOM = "console-hook-start-custom";
    HOOK_START_CUSTOM_TEXT = "console-hook-start-custom-text";
    HOOK_START_N8N = "console-hook-start-n8n";
    HOOK_START_N8N_TEXT = "console-hook-start-n8n-text";
    HOOK_START_ZAPIER = "console-hook-start-zapier";
    HOOK_START_ZAPIER_TEXT = "console-hook-start-zapier-text";
    HOOK_START_MAKE = "console-hook-start-make";
    HOOK_START_MAKE_TEXT = "console-hook-start-make-text";
    HOOK_EVENTS_SEARCH = "console-hook-events-search";
    HOOK_EVENTS_ALL = "console-hook-events-all";
    HOOK_EVENTS_WHOLE = "console-hook-events-whole";
    HOOK_MADE = "console-hook-made";
    HOOK_REVEALED = "console-hook-revealed";
    HOOK_ROTATED = "console-hook-rotated";
    HOOK_SECRET = "console-hook-secret";
    HOOK_SECRET_TEXT = "console-hook-secret-text";
    HOOK_SECRET_ABOUT = "console-hook-secret-about";
    HOOK_ONWARDS = "console-hook-onwards";
    HOOK_REVEAL = "console-hook-reveal";
    HOOK_ROTATE = "console-hook-rotate";
    HOOK_DUPLICATE = "console-hook-duplicate";
    HOOK_TEST = "console-hook-test";
    HOOK_TEST_TEXT = "console-hook-test-text";
    HOOK_TEST_GO = "console-hook-test-go";
    HOOK_TEST_WELL = "console-hook-test-well";
    HOOK_TEST_BADLY = "console-hook-test-badly";
    HOOK_EVENT = "console-hook-event";
    HOOK_OFF = "console-hook-off";
    HOOK_OFF_GONE = "console-hook-off-gone";
    HOOK_OFF_FAILING = "console-hook-off-failing";
    HOOK_ON = "console-hook-on";
    SINCE = "console-since";
    SINCE_HOUR = "console-since-hour";
    SINCE_DAY = "console-since-day";
    SINCE_WEEK = "console-since-week";
    SINCE_MONTH = "console-since-month";
    REPLAY = "console-replay";
    REPLAY_FAILED = "console-replay-failed";
    DONE_REPLAYED = "console-done-replayed";
    DELIVERIES_LATEST = "console-deliveries-latest";
    DELIVERIES_ALL = "console-deliveries-all";
    DELIVERIES_NONE = "console-deliveries-none";
    DELIVERY_WAITING = "console-delivery-waiting";
    DELIVERY_DELIVERED = "console-delivery-delivered";
    DELIVERY_FAILED = "console-delivery-failed";
    DELIVERY_DROPPED = "console-delivery-dropped";
    DELIVERY_WEB = "console-delivery-web";
    DELIVERY_CLI = "console-delivery-cli";
    DELIVERY_STATE = "console-delivery-state";
    DELIVERY_KIND = "console-delivery-kind";
    DELIVERY_HOOK = "console-delivery-hook";
    DELIVERY_AT = "console-delivery-at";
    DELIVERY_STATUS = "console-delivery-status";
    DELIVERY_LATENCY = "console-delivery-latency";
    DELIVERY_ATTEMPTS = "console-delivery-attempts";
    DELIVERY_ATTEMPT = "console-delivery-attempt";
    DELIVERY_NO_ATTEMPT = "console-delivery-no-attempt";
    DELIVERY_ANSWER = "console-delivery-answer";
    DELIVERY_REQUEST = "console-delivery-request";
    DELIVERY_RECORD = "console-delivery-record";
    DELIVERY_NEXT = "console-delivery-next";
    PROGRAM = "console-program";
    PROGRAM_RUNS = "console-program-runs";
    PROGRAM_LAST = "console-program-last";
    PROGRAMS = "console-programs";
    PROGRAMS_TEXT = "console-programs-text";
    STEP_ENROLMENT_CODE = "console-step-enrolment-code";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_in_use_is_in_the_catalogue() {
        for key in ALL {
            assert!(model::text::has(key.0), "{}", key.0);
        }
    }

    #[test]
    fn every_console_text_of_the_catalogue_is_in_use() {
        let source = include_str!("../../../crates/model/locales/en.ftl");
        for line in source.lines().filter(|line| line.starts_with("console-")) {
            let name = line.split('=').next().unwrap_or("").trim();
            assert!(ALL.iter().any(|key| key.0 == name), "{name}");
        }
    }

    /// The entities with the keys of everything about them that is shown.
    fn keys_of(entity: &Entity) -> Vec<Vec<String>> {
        let one = format!("entity-{}", entity.name);
        let mut keys = vec![vec![one.clone()], vec![format!("{one}-many")]];
        for field in entity.all_fields() {
            keys.push(Words::field_keys(entity, field.name).into());
            let (crate::entity::Kind::Choice(choices) | crate::entity::Kind::Map(choices, _)) =
                field.kind
            else {
                continue;
            };
            for word in choices {
                keys.push(Words::choice_keys(entity, field.name, word).into());
            }
        }
        keys
    }

    #[test]
    fn every_entity_field_and_choice_has_its_text() {
        let all = crate::entity::registry::ENTITIES.iter().flat_map(|entity| keys_of(entity));
        let groups =
            crate::entity::registry::ENTITIES.iter().flat_map(|entity| entity.all_fields());
        let groups = groups.filter_map(|field| field.group);
        let groups = groups.map(|group| vec![format!("group-{}", group.replace('_', "-"))]);
        let all = all.chain(groups);
        let missing: Vec<Vec<String>> = all.filter(|keys| !keys.iter().any(|k| has(k))).collect();
        assert!(missing.is_empty(), "one of each is missing in the catalogue: {missing:#?}");
    }

    #[test]
    fn every_text_about_an_entity_is_of_one_that_is_there() {
        let source = include_str!("../../../crates/model/locales/en.ftl");
        let mut known: Vec<String> = Vec::new();
        for entity in crate::entity::registry::ENTITIES {
            known.extend(keys_of(entity).into_iter().flatten());
            known.push(format!("entity-{}-none", entity.name));
            known.push(format!("entity-{}-delete", entity.name));
            known.extend(entity.actions.iter().flat_map(|a| Words::deed_keys(entity, a)));
            for field in entity.actions.iter().flat_map(|action| action.arguments) {
                known.extend(Words::field_keys(entity, field.name));
            }
            for field in entity.all_fields() {
                known.push(format!("hint-{}-{}", entity.name, field.name));
                known.push(format!("hint-{}", field.name));
            }
        }
        let about = ["entity-", "field-", "hint-", "choice-", "group-", "act-"];
        for field in crate::entity::registry::ENTITIES.iter().flat_map(|entity| entity.all_fields())
        {
            known.extend(field.group.map(|group| format!("group-{}", group.replace('_', "-"))));
        }
        for line in source.lines().filter(|line| about.iter().any(|word| line.starts_with(word))) {
            let name = line.split('=').next().unwrap_or("").trim();
            assert!(known.iter().any(|key| key == name), "{name} is of nothing");
        }
    }

    #[test]
    fn every_permission_group_and_verb_has_its_text_and_no_text_is_left_over() {
        use crate::domain::access::permission::CATALOGUE;
        let mut names: Vec<String> =
            CATALOGUE.iter().map(|permission| derived("permission", permission.name)).collect();
        for (group, _) in CATALOGUE.iter().filter_map(|p| p.name.split_once('.')) {
            names.push(format!("permission-group-{group}"));
        }
        names.extend(crate::console::rights::VERBS.map(|verb| format!("permission-verb-{verb}")));
        for name in &names {
            assert!(has(name), "{name}");
        }
        let source = include_str!("../../../crates/model/locales/en.ftl");
        for line in source.lines().filter(|line| line.starts_with("permission-")) {
            let name = line.split('=').next().unwrap_or("").trim();
            assert!(names.iter().any(|known| known == name), "{name} is of nothing");
        }
    }

    #[test]
    fn every_setting_and_module_has_a_name_and_no_name_is_left_over() {
        use crate::domain::module;
        use crate::domain::setting::Kind;
        use crate::domain::setting::registry::{ALL, GROUPS};
        let mut names: Vec<String> = ALL
            .iter()
            .filter(|setting| setting.group() != "setup")
            .map(|setting| derived("setting", setting.key))
            .collect();
        names.extend(GROUPS.iter().map(|group| derived("setting-group", group)));
        for module in module::ALL {
            names.push(derived("module", module.name));
            names.extend(
                module
                    .parts
                    .iter()
                    .map(|part| derived("module", &format!("{}.{part}", module.name))),
            );
        }
        for name in &names {
            assert!(model::text::has(name), "{name}");
        }
        let choices = ALL.iter().filter_map(|setting| match setting.kind {
            Kind::Choice(words) => Some(words),
            _ => None,
        });
        names.extend(choices.flatten().map(|word| derived("setting-choice", word)));
        let source = include_str!("../../../crates/model/locales/en.ftl");
        let own = |line: &&str| line.starts_with("setting-") || line.starts_with("module-");
        for line in source.lines().filter(own) {
            let name = line.split('=').next().unwrap_or("").trim();
            let name = name.strip_suffix("-hint").unwrap_or(name);
            assert!(names.iter().any(|own| own == name), "{name}");
        }
    }

    #[test]
    fn the_language_is_the_first_a_browser_names_and_never_a_strange_one() {
        let of = |value: &str| {
            let request = actix_web::test::TestRequest::get()
                .insert_header(("Accept-Language", value))
                .to_http_request();
            Words::of(&request).locale
        };
        assert_eq!(of("pt-BR,pt;q=0.9"), "pt-BR");
        assert_eq!(of("\"><script>"), "en");
        assert_eq!(of("*"), "en");
        assert_eq!(Words::english().say(LANGUAGE), "en");
    }
}
