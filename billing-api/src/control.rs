//! What `netctl` may ask over the control socket.

use std::net::SocketAddr;
use std::sync::Arc;

use daemon::control::{Answering, ControlError, Handler};
use daemon::health::Health;
use model::Ts;
use model::control::{Fact, FactState, Status};
use serde_json::Value;
use store::args;

use crate::domain::Office;
use crate::domain::access::rules;
use crate::domain::ledger::verify;
use crate::relay::LINE;
use crate::store::policy;

/// Everything the calls look at.
pub(crate) struct Control {
    pub(crate) office: Arc<Office>,
    pub(crate) health: Health,
    pub(crate) bus: bus::Bus,
    pub(crate) started: Ts,
    pub(crate) listening: SocketAddr,
}

impl Handler for Control {
    fn call(&self, call: &str, _: Value) -> Answering<'_> {
        let call = call.to_owned();
        Box::pin(async move {
            match call.as_str() {
                "status" => serde_json::to_value(self.status().await)
                    .map_err(|error| ControlError::failed(&error)),
                "open_access" => match rules::open(&self.office).await {
                    Ok(opened) => Ok(opened.into()),
                    Err(fault) => Err(ControlError::failed(&fault)),
                },
                "verify_ledger" => match verify::verify(&self.office).await {
                    Ok(verified) => {
                        serde_json::to_value(verified).map_err(|error| ControlError::failed(&error))
                    }
                    Err(fault) => Err(ControlError::failed(&fault)),
                },
                _ => Err(ControlError::UnknownCall(call)),
            }
        })
    }
}

impl Control {
    async fn status(&self) -> Status {
        let engine = self.office.db.engine().to_string();
        let database = match self.office.db.ping().await {
            Ok(()) => Fact::good("database", engine),
            Err(error) => Fact {
                name: "database".to_owned(),
                value: format!("{engine}: {}", daemon::exit::chain(&error)),
                state: FactState::Bad,
            },
        };
        let line = self.office.db.fetch_optional(&policy::FIND_LINE, args![LINE]).await;
        let waiting = line.ok().flatten().and_then(|row| {
            let revision: u64 = row.get("revision").ok()?;
            let published: u64 = row.get("published").ok()?;
            Some((revision, revision.saturating_sub(published)))
        });
        let policy = match waiting {
            Some((revision, 0)) => Fact::good("policy", format!("revision {revision}, published")),
            Some((revision, waiting)) => Fact::warn_unless(
                false,
                "policy",
                format!("revision {revision}, {waiting} to publish"),
            ),
            None => Fact::warn_unless(false, "policy", "not known"),
        };
        let well = !self.health.not_ready().iter().any(|part| part == "relay");
        Status {
            program: "billing-api".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            ready: self.health.is_ready(),
            facts: vec![
                Fact::good("listening", format!("http://{}", self.listening)),
                database,
                policy,
                Fact::warn_unless(well, "bus", self.bus.describe()),
            ],
        }
    }
}
