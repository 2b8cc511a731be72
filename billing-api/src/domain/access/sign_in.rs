//! Signing in, step by step.
//!
//! Password first; then, where they are due, the second factor (or its enrolment, where the
//! role demands one) and a new password. Between the steps there is a *challenge* with a cookie
//! of its own, which opens nothing: the session's cookie is made when all is proven, never
//! before, so that nobody can be made to use one that another knows.
//!
//! An unknown address takes as long as a wrong password, and is told the same; so is somebody
//! from an address their allow-list does not name.

use daemon::secrets::{random_token, sha256};
use model::{BrowserId, ChallengeId, OrganisationId, RoleId, Sealed, Secret, StaffId, Ts};
use serde_json::{Value, json};
use store::{Row, Tx, args};

use super::attempts::{
    account_wait_s, code_wait_s, forgotten, of_account, of_address, of_codes, of_pair,
};
use super::rules::{self, Rules};
use super::{Rights, Visitor, account, allow_list, password, recovery, role_rights, session, totp};
use crate::domain::actor::Who;
use crate::domain::{Actor, Event, Fault, Office, Unit};
use crate::oidc::provider;
use crate::store::access as sql;

/// How long the steps may take together, seconds.
const CHALLENGE_S: i64 = 600;
/// Codes that may be tried per challenge.
const CODES_MAX: i64 = 5;
/// A browser is known for so long after it was last used, seconds.
const BROWSER_S: i64 = 365 * 24 * 3600;
/// Failures of a known browser before it is a stranger again.
const BROWSER_FAILURES_MAX: i64 = 10;
/// An address somebody signed in from is known for so long, seconds.
const ADDRESS_S: i64 = 30 * 24 * 3600;

/// What is still to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// A code of the second factor.
    Code,
    /// Setting up a second factor, which the role demands.
    Enrolment,
    /// Another password.
    Password,
}

/// Where a sign-in stands.
#[derive(Debug)]
pub(crate) enum Step {
    /// Signed in: the session's cookie, and one for the browser where it was not known.
    Entered { session: Secret<String>, browser: Option<Secret<String>> },
    /// Something is due; the challenge's cookie, where it is a new one.
    Due { challenge: Option<Secret<String>> },
}

/// A member of staff who may sign in.
pub(crate) struct Account {
    pub(crate) id: StaffId,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) organisation_id: OrganisationId,
    /// The organisation's name.
    pub(crate) organisation: String,
    path: String,
    pub(crate) password_hash: String,
    allow_list: Value,
    totp: Option<Sealed>,
    pub(crate) totp_confirmed: bool,
    must_change_password: bool,
    /// The provider that they came through in place of a password, where they did.
    provider: Option<uuid::Uuid>,
    /// Whether the role demands a second factor, or their organisation.
    pub(crate) second_factor: bool,
    /// What their organisation decided about signing in.
    pub(crate) rules: Rules,
    pub(crate) rights: Rights,
    failures: i64,
    failed_at: Option<Ts>,
    code_failures: i64,
    code_failed_at: Option<Ts>,
}

impl Account {
    async fn of(office: &Office, row: &Row) -> Result<Self, Fault> {
        let organisation: OrganisationId = row.get("organisation_id")?;
        let rules = rules::of(office, organisation).await?;
        let by_role = row.get::<Option<bool>>("second_factor")?.unwrap_or(false);
        let confirmed: Option<Ts> = row.get("totp_confirmed_at")?;
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            email: row.get("email")?,
            organisation_id: organisation,
            organisation: row.get("organisation")?,
            path: row.get("path")?,
            password_hash: row.get("password_hash")?,
            allow_list: row.get("allow_list")?,
            totp: row.get("totp")?,
            totp_confirmed: confirmed.is_some(),
            must_change_password: row.get("must_change_password")?,
            provider: None,
            second_factor: by_role || rules.second_factor,
            rules,
            rights: role_rights(row.get("permissions")?),
            failures: row.get("failures")?,
            failed_at: row.get("failed_at")?,
            code_failures: row.get("code_failures")?,
            code_failed_at: row.get("code_failed_at")?,
        })
    }

    /// The one with this id, while they may sign in.
    pub(crate) async fn load(office: &Office, id: StaffId) -> Result<Self, Fault> {
        let row = office.db.fetch_optional(&sql::FIND_STAFF_BY_ID, args![id]).await?;
        Self::of(office, &row.ok_or(Fault::Unauthenticated)?).await
    }

    /// Whether they may come from an address.
    pub(crate) fn admits(&self, address: std::net::IpAddr) -> bool {
        allow_list::admits(&self.allow_list, address) && self.rules.admits(address)
    }

    /// Them, acting for themselves before there is a session.
    pub(crate) fn actor(&self) -> Actor {
        Actor {
            who: Who::Staff(self.id),
            name: self.name.clone(),
            organisation: self.organisation_id,
            path: self.path.clone(),
            rights: self.rights,
            address: None,
            owner: None,
            impersonator: None,
            idempotency: None,
            request_id: None,
        }
    }

    /// What is still to be done after the password or the provider, `passed` being the second
    /// factor.
    fn due(&self, passed: bool) -> Option<Due> {
        if !passed && self.totp_confirmed {
            Some(Due::Code)
        } else if !passed && self.second_factor {
            Some(Due::Enrolment)
        } else if self.must_change_password && self.provider.is_none() {
            Some(Due::Password)
        } else {
            None
        }
    }

    /// The key of their second factor.
    pub(crate) fn totp_key(&self, office: &Office) -> Result<Option<Secret<Vec<u8>>>, Fault> {
        let Some(sealed) = &self.totp else { return Ok(None) };
        Ok(Some(office.keyring.open(&bound(self.id), sealed)?))
    }

    /// What an event or an audit entry says of them.
    pub(crate) fn view(&self) -> Value {
        json!({"id": self.id, "name": self.name, "email": self.email})
    }
}

/// What the key of a second factor is sealed to.
pub(crate) fn bound(staff: StaffId) -> String {
    format!("{staff} totp")
}

/// Takes e-mail address and password.
pub(crate) async fn sign_in(
    office: &Office,
    visitor: &Visitor,
    email: &str,
    password: Secret<String>,
) -> Result<Step, Fault> {
    let email = normal_email(email);
    let now = office.now();
    let row = office.db.fetch_optional(&sql::FIND_STAFF, args![email.as_str()]).await?;
    let account = match row {
        Some(row) => Some(Account::of(office, &row).await?),
        None => None,
    };
    let lockout = rules::lockout(office).await?;
    // Asked in either case, for the time it takes.
    let id = account.as_ref().map_or_else(StaffId::generate, |account| account.id);
    let browser = known_browser(office, visitor, id).await?;
    let known_address = is_known_address(office, visitor, id).await?;

    let (address, pair) = (of_address(visitor.address), of_pair(&email, visitor.address, lockout));
    let everywhere = of_account(&email);
    let mut counts = Vec::new();
    if browser.is_none() {
        counts.extend([address, pair]);
        if !known_address {
            counts.push(everywhere);
            let before = account.as_ref().map_or((0, None), |a| (a.failures, a.failed_at));
            let wait = account_wait_s(before.0, before.1, now);
            if wait > 0 {
                return Err(Fault::TooMany(wait));
            }
        }
    }
    office.attempts.begin(&counts, now).map_err(Fault::TooMany)?;

    let hash = account.as_ref().map_or(String::new(), |account| account.password_hash.clone());
    let right = password::verify(office, password, hash).await?;
    let exists = account.is_some();
    let Some(account) = account.filter(|account| right && account.admits(visitor.address)) else {
        if exists {
            failed(office, visitor, id, browser).await?;
        }
        return Err(Fault::Unauthenticated);
    };
    office.attempts.succeeded(&counts, &[pair]);
    // Told to those alone who know the password.
    if let Some(name) = provider::required(office, account.organisation_id).await? {
        let detail = format!("your organisation signs in through {name}, not with passwords");
        return Err(Fault::Conflict { pointer: "", detail });
    }
    let actor = account.actor();
    let mut unit = Unit::begin(office, &actor).await?;
    if browser.is_none() {
        unit.execute(&sql::FORGIVE, args![account.id]).await?;
    }
    let step = match account.due(false) {
        None => enter(&mut unit, &account, visitor, browser).await?,
        Some(_) => challenge(&mut unit, &account).await?,
    };
    unit.commit().await?;
    Ok(step)
}

/// Lets somebody in whom a provider has proven; `passed` where no second factor is asked for.
/// What others fail at with passwords holds nobody up here: there is nothing to be guessed.
pub(crate) async fn by_provider(
    office: &Office,
    visitor: &Visitor,
    account: Account,
    provider: uuid::Uuid,
    passed: bool,
) -> Result<Step, Fault> {
    let account = Account { provider: Some(provider), ..account };
    let actor = account.actor();
    let mut unit = Unit::begin(office, &actor).await?;
    let step = match account.due(passed) {
        None => {
            let browser = known_browser_in(&mut unit, visitor, account.id).await?;
            enter(&mut unit, &account, visitor, browser).await?
        }
        Some(_) => challenge(&mut unit, &account).await?,
    };
    unit.commit().await?;
    Ok(step)
}

/// Begins the second half of a sign-in.
async fn challenge(unit: &mut Unit<'_>, account: &Account) -> Result<Step, Fault> {
    let challenge = random_token("lmc_");
    let args = args![
        ChallengeId::generate(),
        account.id,
        sha256(challenge.expose().as_bytes()).to_vec(),
        unit.now,
        unit.now.plus_seconds(CHALLENGE_S),
        account.provider
    ];
    unit.execute(&sql::INSERT_CHALLENGE, args).await?;
    Ok(Step::Due { challenge: Some(challenge) })
}

/// An address as it is compared.
pub(crate) fn normal_email(email: &str) -> String {
    email.trim().to_lowercase().chars().filter(|c| !c.is_control()).take(200).collect()
}

/// The known browser this is, if it is one of theirs, and its failures.
async fn known_browser(
    office: &Office,
    visitor: &Visitor,
    staff: StaffId,
) -> Result<Option<(BrowserId, i64)>, Fault> {
    let cookie = visitor.browser.as_deref().unwrap_or("");
    let old = office.now().plus_seconds(-BROWSER_S);
    let args = args![sha256(cookie.as_bytes()).to_vec(), staff, old];
    let row = office.db.fetch_optional(&sql::FIND_BROWSER, args).await?;
    row.map(|row| Ok((row.get("id")?, row.get("failures")?))).transpose()
}

async fn is_known_address(
    office: &Office,
    visitor: &Visitor,
    staff: StaffId,
) -> Result<bool, Fault> {
    let address = visitor.address.to_canonical().to_string();
    let args = args![staff, office.now().plus_seconds(-ADDRESS_S), address];
    let sessions: i64 = office.db.fetch_one(&sql::KNOWN_ADDRESS, args).await?.get("sessions")?;
    Ok(sessions > 0)
}

/// A wrong password. What strangers fail at is noted in memory; a known browser has a count of
/// its own, and is a stranger when that is used up.
async fn failed(
    office: &Office,
    visitor: &Visitor,
    staff: StaffId,
    browser: Option<(BrowserId, i64)>,
) -> Result<(), Fault> {
    let now = office.now();
    match browser {
        None => office.attempts.note(staff, visitor.address, now),
        Some((id, failures)) if failures + 1 >= BROWSER_FAILURES_MAX => {
            office.db.execute(&sql::DELETE_BROWSER, args![id]).await?;
        }
        Some((id, _)) => {
            office.db.execute(&sql::BROWSER_FAILED, args![id, now]).await?;
        }
    }
    Ok(())
}

/// A sign-in that is under way.
pub(crate) struct Challenge {
    id: ChallengeId,
    hash: Vec<u8>,
    passed: bool,
    pub(crate) account: Account,
}

impl Challenge {
    /// The one behind a cookie.
    pub(crate) async fn find(
        office: &Office,
        visitor: &Visitor,
        cookie: &str,
    ) -> Result<Self, Fault> {
        let hash = sha256(cookie.as_bytes()).to_vec();
        let args = args![hash.clone(), office.now(), CODES_MAX];
        let row = office.db.fetch_optional(&sql::FIND_CHALLENGE, args).await?;
        let row = row.ok_or(Fault::Unauthenticated)?;
        let mut account = Account::load(office, row.get("staff_id")?).await?;
        account.provider = row.get("provider_id")?;
        if !account.admits(visitor.address) {
            return Err(Fault::Unauthenticated);
        }
        Ok(Self { id: row.get("id")?, hash, passed: row.get("passed")?, account })
    }

    /// What is due now.
    pub(crate) fn due(&self) -> Option<Due> {
        self.account.due(self.passed)
    }

    /// Takes one of the attempts it has.
    async fn attempt(&self, office: &Office) -> Result<(), Fault> {
        let args = args![self.hash.clone(), office.now(), CODES_MAX];
        let taken = office.db.execute(&sql::TAKE_CHALLENGE, args).await?;
        if taken == 1 { Ok(()) } else { Err(Fault::Unauthenticated) }
    }

    /// Goes on after a step: to the next, or in.
    async fn go_on(
        mut self,
        mut unit: Unit<'_>,
        visitor: &Visitor,
        office: &Office,
    ) -> Result<Step, Fault> {
        self.passed = true;
        let step = match self.due() {
            Some(_) => {
                unit.execute(&sql::PASS_CHALLENGE, args![self.id]).await?;
                Step::Due { challenge: None }
            }
            None => {
                let browser = known_browser_in(&mut unit, visitor, self.account.id).await?;
                enter(&mut unit, &self.account, visitor, browser).await?
            }
        };
        unit.commit().await?;
        if matches!(step, Step::Entered { .. }) {
            let codes = of_codes(self.account.id);
            office.attempts.succeeded(&[], &[codes]);
        }
        Ok(step)
    }
}

/// As [`known_browser`], in a unit of work.
async fn known_browser_in(
    unit: &mut Unit<'_>,
    visitor: &Visitor,
    staff: StaffId,
) -> Result<Option<(BrowserId, i64)>, Fault> {
    let cookie = visitor.browser.as_deref().unwrap_or("");
    let old = unit.now.plus_seconds(-BROWSER_S);
    let args = args![sha256(cookie.as_bytes()).to_vec(), staff, old];
    let row = unit.fetch_optional(&sql::FIND_BROWSER, args).await?;
    row.map(|row| Ok((row.get("id")?, row.get("failures")?))).transpose()
}

/// Takes a code of the second factor, or a recovery code in its place.
pub(crate) async fn prove_code(
    office: &Office,
    visitor: &Visitor,
    cookie: &str,
    typed: &str,
) -> Result<Step, Fault> {
    let challenge = Challenge::find(office, visitor, cookie).await?;
    if challenge.due() != Some(Due::Code) {
        return Err(Fault::Unauthenticated);
    }
    let account = &challenge.account;
    let now = office.now();
    let wait = code_wait_s(account.code_failures, account.code_failed_at, now);
    if wait > 0 {
        return Err(Fault::TooMany(wait));
    }
    office.attempts.begin(&[of_codes(account.id)], now).map_err(Fault::TooMany)?;
    challenge.attempt(office).await?;
    let actor = account.actor();
    let mut unit = Unit::begin(office, &actor).await?;
    let right = if recovery::is_one(typed) {
        recovery::take(&mut unit, account.id, typed, now).await?
    } else {
        take_code(&mut unit, office, account, typed).await?
    };
    if !right {
        unit.execute(&sql::CODE_FAILED, args![account.id, now, forgotten(now)]).await?;
        unit.commit().await?;
        return Err(Fault::field("/code", "is not right, or was used before"));
    }
    challenge.go_on(unit, visitor, office).await
}

/// Takes a code of six digits, once.
async fn take_code(
    unit: &mut Unit<'_>,
    office: &Office,
    account: &Account,
    typed: &str,
) -> Result<bool, Fault> {
    let Some(key) = account.totp_key(office)? else { return Ok(false) };
    let Some(step) = totp::find_step(&key, typed, 0, unit.now) else { return Ok(false) };
    // The condition is in the statement: of two that come at once, one is too late.
    Ok(unit.execute(&sql::USE_STEP, args![account.id, step]).await? == 1)
}

/// Begins the enrolment that the role demands. Asked again, it gives another key.
pub(crate) async fn begin_enrolment(
    office: &Office,
    visitor: &Visitor,
    cookie: &str,
) -> Result<account::Enrolment, Fault> {
    let challenge = Challenge::find(office, visitor, cookie).await?;
    if challenge.due() != Some(Due::Enrolment) {
        return Err(Fault::Unauthenticated);
    }
    account::new_key(office, &challenge.account).await
}

/// Completes that enrolment; the recovery codes, and where the sign-in stands.
pub(crate) async fn complete_enrolment(
    office: &Office,
    visitor: &Visitor,
    cookie: &str,
    typed: &str,
) -> Result<(Vec<Secret<String>>, Step), Fault> {
    let challenge = Challenge::find(office, visitor, cookie).await?;
    if challenge.due() != Some(Due::Enrolment) {
        return Err(Fault::Unauthenticated);
    }
    challenge.attempt(office).await?;
    let actor = challenge.account.actor();
    let mut unit = Unit::begin(office, &actor).await?;
    let codes = account::confirm_key(&mut unit, office, &challenge.account, typed).await?;
    let step = challenge.go_on(unit, visitor, office).await?;
    Ok((codes, step))
}

/// Takes the new password that is due.
pub(crate) async fn renew_password(
    office: &Office,
    visitor: &Visitor,
    cookie: &str,
    new: Secret<String>,
) -> Result<Step, Fault> {
    let mut challenge = Challenge::find(office, visitor, cookie).await?;
    if challenge.due() != Some(Due::Password) {
        return Err(Fault::Unauthenticated);
    }
    let hash = account::hash_new(office, &challenge.account, new).await?;
    let actor = challenge.account.actor();
    let mut unit = Unit::begin(office, &actor).await?;
    account::set_password(&mut unit, &challenge.account, hash, None).await?;
    challenge.account.must_change_password = false;
    challenge.go_on(unit, visitor, office).await
}

/// Everything is proven.
async fn enter(
    unit: &mut Unit<'_>,
    account: &Account,
    visitor: &Visitor,
    browser: Option<(BrowserId, i64)>,
) -> Result<Step, Fault> {
    let now = unit.now;
    if let Some(old) = &visitor.session {
        let hash = sha256(old.as_bytes()).to_vec();
        unit.execute(&sql::END_BY_COOKIE, args![hash, now]).await?;
    }
    unit.execute(&sql::DELETE_CHALLENGES, args![account.id, now]).await?;
    let lifetime_s = account.rules.lifetime_s;
    let session = session::begin(unit, account.id, visitor, None, lifetime_s).await?;
    let browser = match browser {
        Some((id, _)) => {
            unit.execute(&sql::BROWSER_SEEN, args![id, now]).await?;
            None
        }
        None => {
            let cookie = random_token("lmb_");
            let hash = sha256(cookie.expose().as_bytes()).to_vec();
            let args = args![BrowserId::generate(), account.id, hash, now];
            unit.execute(&sql::INSERT_BROWSER, args).await?;
            Some(cookie)
        }
    };
    let mut payload = account.view();
    payload["address"] = json!(visitor.address.to_canonical());
    payload["second_factor"] = json!(account.totp_confirmed);
    if let Some(provider) = account.provider {
        payload["identity_provider_id"] =
            json!(model::id::show(provider::IDENTITY_PROVIDER.prefix, provider));
    }
    let entity_id = account.id.to_string();
    let event = Event { kind: "staff.signed_in", entity_id, payload, policy: &[] };
    unit.record(account.organisation_id, event, None).await?;
    Ok(Step::Entered { session, browser })
}

/// Creates the first member of staff.
pub(crate) async fn create_first(
    tx: &mut Tx,
    now: Ts,
    organisation: OrganisationId,
    role: RoleId,
    email: &str,
    password_hash: String,
) -> Result<(), Fault> {
    let id = StaffId::generate();
    let email = email.trim().to_lowercase();
    let (name, by) = ("Administrator", "system:first_start");
    let args = args![id, organisation, email, name, password_hash, "en", role, now, by];
    tx.execute(&sql::INSERT_STAFF, args).await?;
    Ok(())
}
