//! The console's words: which texts of the catalogue it uses, and in whose language.
//!
//! Every key is a constant of this file, so that a test can walk them all.

use actix_web::HttpRequest;
use actix_web::http::header::ACCEPT_LANGUAGE;
use model::policy::HoldReason;
use model::text::{FluentValue, text};

/// A text of the catalogue. Only this file can name one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(&'static str);

/// The arguments of a text.
pub(super) type Args<'a> = &'a [(&'static str, FluentValue<'static>)];

/// The reader's language.
#[derive(Debug, Clone)]
pub(super) struct Words {
    locale: String,
}

impl Words {
    /// The language a browser asks for first.
    pub(super) fn of(request: &HttpRequest) -> Self {
        let header = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        let tag = header.unwrap_or("").split([',', ';']).next().unwrap_or("").trim();
        let fits = (2..=35).contains(&tag.len())
            && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        Self { locale: if fits { tag.to_owned() } else { "en".to_owned() } }
    }

    /// A text.
    pub(super) fn say(&self, key: Key) -> String {
        text(&self.locale, key.0, &[])
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
    pub(super) fn choice(&self, word: &str) -> String {
        let key = derived("setting-choice", word);
        if model::text::has(&key) { text(&self.locale, &key, &[]) } else { word.to_owned() }
    }

    /// The name of a module, or of a part of one.
    pub(super) fn module(&self, name: &str) -> String {
        text(&self.locale, &derived("module", name), &[])
    }

    #[cfg(test)]
    pub(super) fn english() -> Self {
        Self { locale: "en".to_owned() }
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
    NAV_CUSTOMERS = "console-nav-customers";
    NAV_SERVICES = "console-nav-services";
    NAV_PLANS = "console-nav-plans";
    NAV_NAS = "console-nav-nas";
    NAV_SESSIONS = "console-nav-sessions";
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
    DONE_CUSTOMER_CREATED = "console-done-customer-created";
    DONE_SERVICE_CREATED = "console-done-service-created";
    DONE_PLAN_CREATED = "console-done-plan-created";
    DONE_NAS_CREATED = "console-done-nas-created";
    DONE_SUSPENDED = "console-done-suspended";
    DONE_ACTIVATED = "console-done-activated";
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
    CUSTOMERS_TITLE = "console-customers-title";
    CUSTOMERS_NEW = "console-customers-new";
    CUSTOMERS_SEARCH = "console-customers-search";
    CUSTOMERS_EMPTY = "console-customers-empty";
    CUSTOMERS_NOT_FOUND = "console-customers-not-found";
    CUSTOMERS_SHOW_ALL = "console-customers-show-all";
    CUSTOMER_NUMBER = "console-customer-number";
    CUSTOMER_NUMBERED = "console-customer-numbered";
    CUSTOMER_NAME = "console-customer-name";
    CUSTOMER_EMAIL = "console-customer-email";
    CUSTOMER_PHONE = "console-customer-phone";
    CUSTOMER_SINCE = "console-customer-since";
    CUSTOMER_STATUS = "console-customer-status";
    CUSTOMER_ACTIVE = "console-customer-active";
    CUSTOMER_CREATE = "console-customer-create";
    CUSTOMER_SERVICES = "console-customer-services";
    CUSTOMER_NO_SERVICES = "console-customer-no-services";
    CUSTOMER_SESSIONS = "console-customer-sessions";
    CUSTOMER_NO_SESSIONS = "console-customer-no-sessions";

    // Services.
    SERVICES_TITLE = "console-services-title";
    SERVICES_EMPTY = "console-services-empty";
    SERVICES_GO = "console-services-go";
    SERVICE_LOGIN = "console-service-login";
    SERVICE_NO_LOGIN = "console-service-no-login";
    SERVICE_CUSTOMER = "console-service-customer";
    SERVICE_PLAN = "console-service-plan";
    SERVICE_STATUS = "console-service-status";
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
    SERVICE_ADD_NO_PLANS = "console-service-add-no-plans";
    SERVICE_LOGIN_HINT = "console-service-login-hint";
    SERVICE_PASSWORD = "console-service-password";
    SERVICE_PASSWORD_HINT = "console-service-password-hint";
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

    // Plans.
    PLANS_TITLE = "console-plans-title";
    PLANS_NEW = "console-plans-new";
    PLANS_EMPTY = "console-plans-empty";
    PLAN_NAME = "console-plan-name";
    PLAN_SPEED = "console-plan-speed";
    PLAN_PRICE = "console-plan-price";
    PLAN_SINCE = "console-plan-since";
    PLAN_NAME_HINT = "console-plan-name-hint";
    PLAN_PRICE_HINT = "console-plan-price-hint";
    PLAN_PRICE_WRONG = "console-plan-price-wrong";
    PLAN_PERIOD = "console-plan-period";
    PLAN_DOWNLOAD = "console-plan-download";
    PLAN_UPLOAD = "console-plan-upload";
    PLAN_RATE_HINT = "console-plan-rate-hint";
    PLAN_RATE_WRONG = "console-plan-rate-wrong";
    PLAN_CREATE = "console-plan-create";

    // NAS.
    NAS_TITLE = "console-nas-title";
    NAS_NEW = "console-nas-new";
    NAS_EMPTY = "console-nas-empty";
    NAS_NAME = "console-nas-name";
    NAS_NAME_HINT = "console-nas-name-hint";
    NAS_ADDRESS = "console-nas-address";
    NAS_ADDRESS_HINT = "console-nas-address-hint";
    NAS_SECRET = "console-nas-secret";
    NAS_SECRET_HINT = "console-nas-secret-hint";
    NAS_VENDOR = "console-nas-vendor";
    NAS_VENDOR_MIKROTIK = "console-nas-vendor-mikrotik";
    NAS_VENDOR_GENERIC = "console-nas-vendor-generic";
    NAS_COA = "console-nas-coa";
    NAS_COA_PORT = "console-nas-coa-port";
    NAS_COA_PORT_HINT = "console-nas-coa-port-hint";
    NAS_COA_ON = "console-nas-coa-on";
    NAS_COA_OFF = "console-nas-coa-off";
    NAS_ORIGIN = "console-nas-origin";
    NAS_REGISTERED = "console-nas-registered";
    NAS_SEEN = "console-nas-seen";
    NAS_CREATE = "console-nas-create";

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

    // Settings, modules, branding, organisations and setup: what is shared.
    NAV_ORGANISATIONS = "console-nav-organisations";
    NAV_SETTINGS = "console-nav-settings";
    FORM_SAVE = "console-form-save";
    YES = "console-yes";
    NO = "console-no";
    DONE_SETTINGS_CHANGED = "console-done-settings-changed";
    DONE_MODULES_CHANGED = "console-done-modules-changed";
    DONE_ORGANISATION_CREATED = "console-done-organisation-created";
    DONE_ORGANISATION_CHANGED = "console-done-organisation-changed";
    DONE_ORGANISATION_MOVED = "console-done-organisation-moved";
    DONE_ORGANISATION_DELETED = "console-done-organisation-deleted";

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
    ORGANISATION_DELETE = "console-organisation-delete";
    ORGANISATION_DELETE_TEXT = "console-organisation-delete-text";

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
