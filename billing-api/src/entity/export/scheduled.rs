//! Exports that go out by schedule: a template, a schedule, and where the file goes.
//!
//! The schedule is a job's, made and changed with the record, so that runs, log, retries and
//! maintenance windows are those of every job. The file has what two may export at that moment:
//! whoever changed the record last, and whoever changed the template last, which says what is in
//! it. Neither gets anything out in the other's name, and who may export no more sends no more.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ::mail::Address;
use daemon::base64;
use model::{JobId, OrganisationId, Sealed, Secret, StaffId, TokenId};
use serde_json::{Value as Json, json};
use store::{Row, args};

use super::background::{self, Made};
use super::sftp::{self, Target};
use super::{EXPORT, EXPORT_TEMPLATE, Export};
use crate::domain::setting::registry as settings;
use crate::domain::{Actor, Fault, Input, Office, Unit, Who, access, setting};
use crate::entity::{
    Draft, Entity, Field, Flags, Hooks, Kind as Of, Step, Verb, Verbs, Written, read, registry,
};
use crate::jobs::schedule::Schedule;
use crate::jobs::{Context, JobError, Kind, Outcome};
use crate::mail::{letters, server::is_host};
use crate::store::{job, organisation};

/// Ports an SFTP server may have that a partner names.
const PORTS: &[i64] = &[22, 2022, 2222];
/// Recipients of one export.
const RECIPIENTS_MAX: usize = 20;
/// When to come again where too many letters wait, seconds.
const MAIL_AGAIN_S: u32 = 60;
/// Octets of a private key.
const KEY_OCTETS_MAX: usize = 16 << 10;
/// What host keys there are (RFC 4253 §6.6, RFC 5656 §3.1, RFC 8709 §4).
const HOST_KEYS: &[&str] = &[
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
];

store::statements! {
    /// One of the subtree.
    pub(crate) FIND = "SELECT * FROM scheduled_export
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// Who changed a template last.
    pub(crate) TEMPLATE_BY = "SELECT updated_by FROM export_template
        WHERE organisation_id IN (SELECT id FROM organisation WHERE path LIKE $1 || '%')
          AND id = $2 AND deleted_at IS NULL";
    /// Names its job.
    pub(crate) SET_JOB = "UPDATE scheduled_export SET job_id = $2 WHERE id = $1";
    /// Keeps a password.
    pub(crate) SET_PASSWORD = "UPDATE scheduled_export SET password = $2 WHERE id = $1";
    /// Keeps a private key.
    pub(crate) SET_KEY = "UPDATE scheduled_export SET private_key = $2 WHERE id = $1";
    /// Brings its job in line.
    pub(crate) SET_SCHEDULE = "UPDATE job SET name = $2, schedule = $3, zone = $4, enabled = $5,
            next_at = $6, deleted_at = NULL, deleted_by = NULL, updated_at = $7, updated_by = $8,
            version = version + 1
        WHERE id = $1";
    /// Its job goes with it.
    pub(crate) DELETE_JOB = "UPDATE job SET enabled = FALSE, next_at = NULL, deleted_at = $2,
            deleted_by = $3, version = version + 1
        WHERE id = $1";
}

const SHOWN: Flags = Flags::WRITABLE.and(Flags::LISTED);
const GIVEN: Flags = Flags::REQUIRED.and(SHOWN);

/// An export that goes out by schedule.
pub(crate) const SCHEDULED_EXPORT: Entity = Entity {
    name: "scheduled_export",
    path: "scheduled-exports",
    table: "scheduled_export",
    prefix: "sex",
    permission: "imports",
    verbs: Verbs::CREATE.and(Verbs::UPDATE).and(Verbs::DELETE),
    fields: &[
        Field::new("name", Of::Text(80), GIVEN),
        Field::new(
            "template_id",
            Of::Reference("ext", "export_template"),
            GIVEN.and(Flags::FILTERABLE),
        ),
        Field::new("schedule", Of::Text(100), GIVEN),
        Field::new("zone", Of::Zone, Flags::WRITABLE),
        Field::new("enabled", Of::Flag, SHOWN.and(Flags::FILLED)),
        Field::new("delivery", Of::Choice(&["mail", "sftp"]), GIVEN),
        Field::new("recipients", Of::Words(RECIPIENTS_MAX, 254), SHOWN.and(Flags::PERSONAL)),
        Field::new("host", Of::Text(253), SHOWN),
        Field::new("port", Of::Integer(1, 65_535), Flags::WRITABLE),
        Field::new("username", Of::Text(100), Flags::WRITABLE),
        Field::new("password", Of::Secret(200), Flags::WRITABLE),
        Field::new("private_key", Of::Secret(KEY_OCTETS_MAX), Flags::WRITABLE),
        Field::new("host_key", Of::Text(1000), Flags::WRITABLE),
        Field::new("directory", Of::Text(200), Flags::WRITABLE),
        Field::new("job_id", Of::Reference("job", "job"), Flags::LISTED),
    ],
    hooks: Hooks { check, before, after, ..Hooks::NONE },
    ..Entity::PLAIN
};

/// Makes the file and sends it.
pub(crate) const DELIVER: Kind = Kind {
    queue: "transfer",
    limit: background::LIMIT,
    arguments: |input: &mut Input| {
        if input.optional_text("scheduled_export", 40).is_none() {
            input.missing("scheduled_export");
        }
    },
    run: |context| Box::pin(deliver(context)),
    ..Kind::named("exports.deliver", "Export: make a file and send it")
};

fn check(draft: &Draft, input: &mut Input) {
    // The zone is checked by its kind.
    if let Some(Err(error)) = draft.text("schedule").map(|cron| Schedule::parse(cron, "UTC")) {
        input.fault("schedule", error.to_string());
    }
    let recipients = draft.json("recipients").and_then(Json::as_array);
    for (at, address) in recipients.into_iter().flatten().filter_map(Json::as_str).enumerate() {
        if let Err(error) = address.parse::<Address>() {
            input.fault(&format!("recipients/{at}"), error.to_string());
        }
    }
    if draft.text("host").is_some_and(|host| !is_host(host)) {
        input.fault("host", "is a name such as files.example.net, or an address");
    }
    if draft.text("username").is_some_and(|user| !sftp::is_user(user)) {
        input.fault("username", "has letters, digits and . _ @ - only");
    }
    if draft.text("directory").is_some_and(|directory| !sftp::is_directory(directory)) {
        input.fault("directory", "has letters, digits, spaces and . _ / - only, and no \"..\"");
    }
    if draft.text("host_key").is_some_and(|key| host_key(key).is_none()) {
        let kinds = HOST_KEYS.join(", ");
        input.fault("host_key", format!("is \"TYPE BASE64\" as ssh-keyscan prints it ({kinds})"));
    }
    let key = draft.secret("private_key");
    if key.is_some_and(|key| sftp::private_key(key.expose()).is_none()) {
        input.fault("private_key", "is a private key in OpenSSH's or PEM form, without passphrase");
    }
}

/// A public key of a host: its kind and the base64 of it, without what may stand around them.
fn host_key(text: &str) -> Option<(String, String)> {
    let mut words = text.split_whitespace().skip_while(|word| !HOST_KEYS.contains(word));
    let (kind, body) = (words.next()?, words.next()?);
    let octets = base64::decode(body)?;
    // RFC 4253 §6.6: the kind stands in the key as well, behind its length.
    let length = usize::try_from(u32::from_be_bytes(*octets.first_chunk()?)).ok()?;
    (octets.get(4..4 + length)? == kind.as_bytes()).then(|| (kind.to_owned(), body.to_owned()))
}

fn before<'a>(
    _: &'a mut Unit<'_>,
    verb: Verb,
    draft: &'a mut Draft,
    row: Option<&'a Row>,
) -> Step<'a> {
    Box::pin(async move {
        if verb == Verb::Created || draft.value("enabled").is_some() {
            draft.fill("enabled", store::Value::Bool(Some(true)));
        }
        let Some(row) = row.filter(|_| verb == Verb::Updated) else { return Ok(()) };
        // Who may change the address must not have a secret sent there that they may not see. A
        // key is never sent; a password is, to whoever has the pinned key of the host.
        let old = |name: &str| row.get::<Option<String>>(name);
        let (host, pin) = (old("host")?, old("host_key")?);
        let moved = |name: &str, old: &Option<String>| {
            draft.value(name).is_some() && draft.text(name) != old.as_deref()
        };
        let kept = row.get::<Option<Sealed>>("password")?.is_some();
        let changed = [("host", &host), ("host_key", &pin)];
        let changed = changed.into_iter().find(|(name, old)| moved(name, old));
        if let Some((name, _)) = changed
            && kept
            && draft.secret("password").is_none()
        {
            let detail = "changes only together with the password, which must be given again";
            return Err(Fault::field(format!("/{name}"), detail));
        }
        Ok(())
    })
}

fn after<'a>(unit: &'a mut Unit<'_>, written: Written<'a>) -> Step<'a> {
    Box::pin(async move {
        let id = written.id;
        let job: Option<JobId> = written.after.get("job_id")?;
        if written.verb == Verb::Deleted {
            unit.execute(&DELETE_JOB, args![job, unit.now, unit.actor.label()]).await?;
            return Ok(());
        }
        let office = unit.office();
        for (name, statement) in [("password", &SET_PASSWORD), ("private_key", &SET_KEY)] {
            if let Some(secret) = written.draft.secret(name) {
                let sealed = office.keyring.seal(&seal(id, name), secret.expose().as_bytes())?;
                unit.execute(statement, args![id, Some(sealed)]).await?;
            }
        }
        let row = unit.fetch_optional(&FIND, args![unit.actor.path.as_str(), id]).await?;
        let row = row.ok_or(Fault::NotFound(SCHEDULED_EXPORT.name))?;
        let home: OrganisationId = row.get("organisation_id")?;
        let home = unit.fetch_one(&organisation::FIND, args![home]).await?;
        let home = organisation::organisation(&home)?;
        complete(office, &row, &home.path)?;
        let name: String = row.get("name")?;
        let (schedule, zone): (String, Option<String>) = (row.get("schedule")?, row.get("zone")?);
        let enabled: bool = row.get("enabled")?;
        let parsed = Schedule::parse(&schedule, zone.as_deref().unwrap_or(&home.zone));
        let parsed = parsed.map_err(|error| Fault::field("/schedule", error.to_string()))?;
        let next = if enabled { parsed.next(unit.now) } else { None };
        let title = format!("Export: {name}");
        let (now, by) = (unit.now, unit.actor.label());
        unit.wake_runner();
        if let Some(job) = job {
            let args = args![job, title, schedule, zone, enabled, next, now, by];
            unit.execute(&SET_SCHEDULE, args).await?;
            return Ok(());
        }
        let job = JobId::generate();
        let shown = model::id::show(SCHEDULED_EXPORT.prefix, id);
        let args = args![
            job,
            home.id,
            DELIVER.name,
            title,
            schedule,
            zone,
            DELIVER.queue,
            json!({"scheduled_export": shown}),
            enabled,
            next,
            "once",
            None::<i64>,
            "wait",
            now,
            by
        ];
        if unit.execute(&job::INSERT_JOB, args).await? == 0 {
            return Err(Fault::field("/name", "a job has this name already"));
        }
        unit.execute(&SET_JOB, args![id, job]).await?;
        Ok(())
    })
}

/// Whether the parts fit together, as they are now.
fn complete(office: &Office, row: &Row, path: &str) -> Result<(), Fault> {
    let text = |name: &str| row.get::<Option<String>>(name);
    let required = |pointer: &'static str| Err(Fault::field(pointer, "is required"));
    if row.get::<String>("delivery")? == "mail" {
        let recipients: Option<Json> = row.get("recipients")?;
        let some = recipients.is_some_and(|list| list.as_array().is_some_and(|l| !l.is_empty()));
        return if some { Ok(()) } else { required("/recipients") };
    }
    for (name, pointer) in [("host", "/host"), ("username", "/username"), ("host_key", "/host_key")]
    {
        if text(name)?.is_none() {
            return required(pointer);
        }
    }
    let secret = |name: &str| Ok::<_, Fault>(row.get::<Option<Sealed>>(name)?.is_some());
    if !secret("password")? && !secret("private_key")? {
        return Err(Fault::field("/private_key", "or a password is required"));
    }
    if path.matches('/').count() > 1 {
        if !PORTS.contains(&row.get::<Option<i64>>("port")?.unwrap_or(22)) {
            return Err(Fault::field("/port", "is one of 22, 2022, 2222"));
        }
        if let Some(Ok(address)) = text("host")?.map(|host| host.parse::<IpAddr>()) {
            let checked = office.hooks.caller.guard().address(address);
            checked.map_err(|refused| Fault::field("/host", refused.to_string()))?;
        }
    }
    Ok(())
}

/// What a secret is sealed to.
fn seal(id: uuid::Uuid, name: &str) -> String {
    format!("{}/{name}", model::id::show(SCHEDULED_EXPORT.prefix, id))
}

/// Whoever somebody is by their label, within the organisation a run acts in, with the rights
/// they have now.
async fn acting_as(context: &Context, label: &str) -> Result<Actor, Fault> {
    let mut actor = context.actor.clone();
    if let Ok(staff) = label.parse::<StaffId>() {
        actor.who = Who::Staff(staff);
    } else if let Ok(token) = label.parse::<TokenId>() {
        actor.who = Who::Token(token);
    }
    actor.rights = access::rights_now(&context.office, actor.who).await?;
    Ok(actor)
}

async fn deliver(context: &Context) -> Result<Outcome, JobError> {
    let office = &context.office;
    let asked = context.arguments["scheduled_export"].as_str().unwrap_or_default();
    let id = SCHEDULED_EXPORT.id(asked)?;
    let row = office.db.fetch_optional(&FIND, args![context.actor.path.as_str(), id]).await?;
    let row = row.ok_or(Fault::NotFound(SCHEDULED_EXPORT.name))?;
    let mut actor = acting_as(context, &row.get::<String>("updated_by")?).await?;
    let template: uuid::Uuid = row.get("template_id")?;
    let (view, _) = read::find(office, &context.actor, &EXPORT_TEMPLATE, template).await?;
    let by = args![context.actor.path.as_str(), template];
    let by = office.db.fetch_optional(&TEMPLATE_BY, by).await?;
    let by: String = by.ok_or(Fault::NotFound(EXPORT_TEMPLATE.name))?.get("updated_by")?;
    let author = acting_as(context, &by).await?;
    let entity = registry::by_name(view["entity"].as_str().unwrap_or_default())
        .ok_or(Fault::NotFound("entity"))?;
    for (who, what) in [(&actor, "it"), (&author, "its template")] {
        if !read::may(who, entity, "export") {
            let why =
                format!("whoever changed {what} last may not export these records (any more)");
            return Err(JobError::failed(why));
        }
    }
    actor.rights = actor.rights.within(&author.rights);
    let shown = model::id::show(EXPORT_TEMPLATE.prefix, template);
    let given = BTreeMap::from([("template".to_owned(), shown)]);
    let export = Export::parse(office, &actor, entity, given).await?;
    let file = export.file_name(office);
    let mut unit = Unit::begin(office, &actor).await?;
    let made_id = background::insert(&mut unit, &export).await.map_err(|fault| match fault {
        // There is room again when others are there, or forgotten.
        Fault::Conflict { detail, .. } => JobError::again(detail),
        fault => fault.into(),
    })?;
    unit.commit().await?;
    let done = async {
        let made = background::make(context, &actor, export, made_id).await?;
        context.log(format!("{} rows, {} octets", made.rows, made.octets));
        match row.get::<String>("delivery")?.as_str() {
            "mail" => Ok((made, by_mail(context, &actor, &row, made_id, &file, made).await?)),
            _ => by_sftp(context, &actor, id, &row, made_id, made).await.map(|()| (made, 0)),
        }
    };
    match done.await {
        Ok((made, left_out)) => {
            let mut result = json!({
                "export": model::id::show(EXPORT.prefix, made_id),
                "rows": made.rows,
                "octets": made.octets,
            });
            if left_out > 0 {
                result["left_out"] = json!(left_out);
            }
            Ok(Outcome::by_failures(left_out, result))
        }
        Err(error) => {
            // What is tried again makes a file of its own, of what there is then.
            let none = Actor::system("exports.deliver", actor.organisation, actor.path.clone());
            background::give_up(office, &none, made_id, &file, &error.to_string()).await?;
            Err(error)
        }
    }
}

/// Queues a letter to each recipient; how many were left out, because too many letters wait.
async fn by_mail(
    context: &Context,
    actor: &Actor,
    row: &Row,
    id: uuid::Uuid,
    file: &str,
    made: Made,
) -> Result<u64, JobError> {
    let office = &context.office;
    if crate::mail::server::of(office, actor.organisation).await?.is_none() {
        return Err(JobError::again("there is no mail server to send it with"));
    }
    let list: Option<Json> = row.get("recipients")?;
    let recipients: Vec<Address> = list
        .as_ref()
        .and_then(Json::as_array)
        .into_iter()
        .flatten()
        .filter_map(|text| text.as_str()?.parse().ok())
        .collect();
    let layers = setting::of(office, actor.organisation).await?;
    let most = layers.integer(&settings::EXPORT_ATTACHMENT_KIB) * 1024;
    let attached = i64::try_from(made.octets).is_ok_and(|octets| octets <= most);
    let (all, name) = (recipients.len() as u64, file.to_owned());
    let queued = Arc::new(AtomicU64::new(0));
    let counted = queued.clone();
    let told = background::finish(office, actor, id, &made, move |unit, until| {
        Box::pin(async move {
            let organisation = unit.actor.organisation;
            for to in recipients {
                let reader = letters::stranger(unit, organisation, to).await?;
                let letter = if attached {
                    letters::export_attached(unit, &reader, id, &name, made.rows).await?
                } else {
                    let shown = model::id::show(EXPORT.prefix, id);
                    let kind = "export_scheduled";
                    letters::export_ready(unit, &reader, kind, &shown, &name, made.rows, until)
                        .await?
                };
                if letter.is_some() {
                    counted.fetch_add(1, Ordering::Relaxed);
                }
            }
            match counted.load(Ordering::Relaxed) {
                // Nothing of it is kept: it is made again when it can be sent.
                0 => Err(Fault::TooMany(MAIL_AGAIN_S)),
                _ => Ok(()),
            }
        })
    });
    told.await.map_err(|fault| match fault {
        Fault::TooMany(_) => JobError::again("too many letters wait, none more can be queued"),
        fault => fault.into(),
    })?;
    let queued = queued.load(Ordering::Relaxed);
    let how = if attached { "attached" } else { "as a link" };
    context.log(format!("queued {queued} letters of {all}, the file {how}"));
    Ok(all - queued)
}

async fn by_sftp(
    context: &Context,
    actor: &Actor,
    scheduled: uuid::Uuid,
    row: &Row,
    id: uuid::Uuid,
    made: Made,
) -> Result<(), JobError> {
    let office = &context.office;
    let text = |name: &str| row.get::<Option<String>>(name);
    let secret = |name: &str| -> Result<Option<Secret<String>>, JobError> {
        let Some(sealed) = row.get::<Option<Sealed>>(name)? else { return Ok(None) };
        let opened = office.keyring.open(&seal(scheduled, name), &sealed).map_err(Fault::from)?;
        Ok(Some(Secret::new(String::from_utf8_lossy(opened.expose()).into_owned())))
    };
    let gone = || JobError::failed("the server's address or key is missing");
    let pinned = text("host_key")?.as_deref().and_then(host_key).ok_or_else(gone)?;
    let port = row.get::<Option<i64>>("port")?.and_then(|port| u16::try_from(port).ok());
    let target = Target {
        host: text("host")?.ok_or_else(gone)?,
        port: port.unwrap_or(22),
        user: text("username")?.ok_or_else(gone)?,
        password: secret("password")?,
        private_key: secret("private_key")?,
        host_key: pinned,
        directory: text("directory")?.unwrap_or_default(),
        anywhere: context.actor.at_root(),
    };
    let file = background::file(office, id).await?;
    // It may have been ended by somebody else meanwhile.
    let file = file.filter(|file| file.content.len() as u64 == made.octets);
    let file = file.ok_or_else(|| JobError::again("the file was forgotten"))?;
    // Two runs of a day do not overwrite each other.
    let time: String = office.now().to_string().chars().filter(char::is_ascii_digit).collect();
    let name = match file.name.rsplit_once('.') {
        Some((stem, end)) => format!("{stem}-{}.{end}", time.get(8..14).unwrap_or("")),
        None => file.name,
    };
    context.log(format!("sending {name} to {}:{}", target.host, target.port));
    let guard = office.hooks.caller.guard();
    let sending = sftp::put(&office.exports, guard, &target, &name, file.content);
    let sent = tokio::select! {
        sent = sending => sent,
        // Dropping the other ends its process.
        error = context.ended() => return Err(error),
    };
    sent.map_err(|error| match error.is_final() {
        true => JobError::failed(error.to_string()),
        false => JobError::again(error.to_string()),
    })?;
    context.log(format!("{name} is there"));
    background::finish(office, actor, id, &made, |_, _| Box::pin(std::future::ready(Ok(()))))
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_key_is_read_as_ssh_keyscan_prints_it_and_anything_else_is_none() {
        let body = "AAAAC3NzaC1lZDI1NTE5AAAAIJ8Zz0f7v5bq0Yd3c8m4h2n6p1r9s7t5u3w1x0y2z4a6";
        let key = host_key(&format!("files.example.net ssh-ed25519 {body} comment"));
        assert_eq!(key.unwrap(), ("ssh-ed25519".to_owned(), body.to_owned()));
        for bad in [
            "",
            "ssh-ed25519",
            "ssh-ed25519 !!!",
            &format!("ssh-rsa {body}"),
            &format!("ssh-dss {body}"),
            "ssh-ed25519 AAAA",
        ] {
            assert!(host_key(bad).is_none(), "{bad}");
        }
    }
}
