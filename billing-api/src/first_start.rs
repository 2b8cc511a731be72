//! What an empty database is given: the policy line, the root organisation, roles, an
//! administrator and an API token.

use daemon::config::SecretSource;
use daemon::secrets::random_token;
use model::{OrganisationId, Secret};
use store::args;

use crate::config::FirstStart;
use crate::domain::access::description::{ROLE, STAFF, TOKEN};
use crate::domain::access::{password as passwords, role, sign_in, token as tokens};
use crate::domain::organisation::ORGANISATION;
use crate::domain::setting::registry;
use crate::domain::{Actor, Fault, Office, nas};
use crate::entity::export::EXPORT_TEMPLATE;
use crate::entity::{Entity, search};
use crate::jobs;
use crate::relay;
use crate::run::RunError;
use crate::store::{access, organisation, policy, setting};

/// What the operator must be told, once.
#[derive(Debug)]
pub struct Welcome {
    /// The name to sign in with.
    pub admin_email: String,
    /// The password, where it was made up.
    pub admin_password: Option<Secret<String>>,
    /// The API token, where it was made up.
    pub token: Option<Secret<String>>,
}

/// Tells the operator what was made up.
pub(crate) type Tell = Box<dyn FnOnce(&Welcome) -> std::io::Result<()> + Send>;

/// Shortest password and token that are taken from the configuration.
const PASSWORD_CHARACTERS_MIN: usize = 8;
const TOKEN_CHARACTERS_MIN: usize = 8;

/// What this makes, and what is found by its words all the same.
static FOUND: &[&Entity] = &[&ORGANISATION, &ROLE, &STAFF, &TOKEN, &EXPORT_TEMPLATE];

/// Prepares an empty database, and makes sure of what every start needs.
///
/// `tell` hears what was made up before the database keeps it.
pub(crate) async fn prepare(
    office: &Office,
    config: &FirstStart,
    tell: Option<Tell>,
) -> Result<Option<Welcome>, RunError> {
    // The epoch tells one database's line from another's.
    office.db.execute(&policy::INSERT_LINE, args![relay::LINE, relay::new_epoch()]).await?;
    let root = office.db.fetch_optional(&organisation::FIND_ROOT, args![]).await?;
    let (root, welcome) = match root {
        Some(row) => (organisation::organisation(&row)?, None),
        None => {
            let welcome = create(office, config, tell).await?;
            let row = office.db.fetch_one(&organisation::FIND_ROOT, args![]).await?;
            (organisation::organisation(&row)?, Some(welcome))
        }
    };
    ensure_roles(office, root.id).await?;
    for entity in FOUND {
        search::catch_up(office, entity).await?;
    }
    let actor = Actor::system("config", root.id, root.path.clone());
    for client in &config.clients {
        let secret = client.secret.load()?;
        nas::ensure_client(office, &actor, client.source, &secret).await?;
    }
    jobs::ensure_jobs(office, &actor, jobs::registry::KINDS, &root.zone).await?;
    Ok(welcome)
}

/// A database from before there were roles: its staff could do everything, and still can.
async fn ensure_roles(office: &Office, root: OrganisationId) -> Result<(), RunError> {
    let mut tx = office.db.begin().await?;
    let roles: i64 = tx.fetch_one(&access::COUNT_ROLES, args![]).await?.get("roles")?;
    if roles == 0 {
        let admin = role::create_templates(&mut tx, office.now(), root).await?;
        tx.execute(&access::GIVE_ROLE, args![admin]).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Everything that can be refused is checked before anything is written.
async fn create(
    office: &Office,
    config: &FirstStart,
    tell: Option<Tell>,
) -> Result<Welcome, RunError> {
    let refuse = |text: &str| Err(RunError::Config(text.to_owned()));
    let given = |source: &Option<SecretSource>| source.as_ref().map(SecretSource::load).transpose();
    let (password, token) = (given(&config.admin_password)?, given(&config.token)?);
    if password.as_ref().is_some_and(|p| p.expose().chars().count() < PASSWORD_CHARACTERS_MIN) {
        return refuse("first_start.admin_password: at least 8 characters");
    }
    if token.as_ref().is_some_and(|t| t.expose().chars().count() < TOKEN_CHARACTERS_MIN) {
        return refuse("first_start.token: at least 8 characters");
    }
    let Ok(currency) = config.currency.parse::<model::Currency>() else {
        return refuse("first_start.currency: three capital letters of ISO 4217, such as USD");
    };
    if !crate::domain::service::is_zone(&config.zone) {
        return refuse("first_start.zone: not an IANA time zone");
    }

    let made_up = |prefix: &str, given: &Option<Secret<String>>| {
        given.is_none().then(|| random_token(prefix))
    };
    let new_password = made_up("pw_", &password);
    let new_token = made_up("lmt_", &token);
    let welcome = Welcome {
        admin_email: config.admin_email.clone(),
        admin_password: new_password.clone(),
        token: new_token.clone(),
    };
    let password = password.or(new_password).unwrap_or_else(|| random_token(""));
    // Hashed before the transaction: it takes a while on purpose.
    let password_hash = passwords::hash(office, password).await?;
    let token = token.or(new_token).unwrap_or_else(|| random_token(""));

    let id = OrganisationId::generate();
    let path = format!("{}/", id.0.simple());
    let now = office.now();
    // All or nothing: an organisation without anybody to sign in could never be mended. Where
    // two first starts race, the second one's root is refused by the database.
    let mut tx = office.db.begin().await?;
    tx.execute(
        &organisation::INSERT,
        args![
            id,
            None::<OrganisationId>,
            path,
            "isp",
            config.organisation.as_str(),
            true,
            currency,
            config.zone.as_str(),
            "en",
            now,
            "system:first_start"
        ],
    )
    .await?;
    let settings = [
        (&registry::ZONE, config.zone.as_str()),
        (&registry::CURRENCY, currency.code()),
        (&registry::LOCALE, "en"),
    ];
    for (setting, value) in settings {
        let value = serde_json::Value::from(value);
        tx.execute(&setting::SET, args![id, setting.key, value, now, "system:first_start"]).await?;
    }
    let admin = role::create_templates(&mut tx, now, id).await?;
    sign_in::create_first(&mut tx, now, id, admin, &config.admin_email, password_hash).await?;
    tokens::create_first(&mut tx, now, id, &token).await?;
    // Told before it is kept: told in vain is harmless, kept and never told is not.
    if let Some(tell) = tell {
        tell(&welcome).map_err(RunError::Welcome)?;
    }
    tx.commit().await?;
    Ok(welcome)
}

impl From<Fault> for RunError {
    fn from(fault: Fault) -> Self {
        Self::FirstStart(Box::new(fault))
    }
}
