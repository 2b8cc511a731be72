//! What `netctl` may ask.

use std::sync::Arc;

use bus::Bus;
use daemon::control::{Answering, ControlError, Handler};
use daemon::health::Health;
use model::Ts;
use model::accounting::{self, PARTITIONS};
use model::control::{Fact, FactState, Status};
use serde_json::Value;
use store::Db;

use crate::state::{Link, State};

/// Answers on the control socket.
pub(crate) struct Control {
    pub(crate) bus: Bus,
    pub(crate) db: Db,
    pub(crate) health: Health,
    pub(crate) state: Arc<State>,
    pub(crate) started: Ts,
}

impl Handler for Control {
    fn call(&self, call: &str, _args: Value) -> Answering<'_> {
        let call = call.to_owned();
        Box::pin(async move {
            match call.as_str() {
                "status" => serde_json::to_value(self.status())
                    .map_err(|error| ControlError::failed(&error)),
                _ => Err(ControlError::UnknownCall(call)),
            }
        })
    }
}

impl Control {
    fn status(&self) -> Status {
        let state = &self.state;
        let partitions = state.partitions();
        let dead_letters = state.dead_letters();
        Status {
            program: "policyd".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started: self.started,
            ready: self.health.is_ready(),
            facts: vec![
                link("database", &state.database, self.db.engine().to_string()),
                link("bus", &state.bus, self.bus.describe()),
                // None may be right: another policyd holds them.
                Fact::warn_unless(
                    partitions > 0,
                    "partitions",
                    format!("{partitions} of {PARTITIONS} held"),
                ),
                Fact::good("records applied", state.applied().to_string()),
                Fact::warn_unless(dead_letters == 0, "dead letters", dead_letters.to_string()),
                format(state),
            ],
        }
    }
}

/// Whether every record that came can be read.
pub(crate) fn format(state: &State) -> Fact {
    let name = "record format";
    let known = accounting::FORMAT;
    let Some((partitions, format)) = state.waiting_for_newer() else {
        return Fact::good(name, format!("up to {known}"));
    };
    let value = format!(
        "{partitions} of {PARTITIONS} partitions wait: records have format {format}, this \
         program reads up to {known}: upgrade policyd"
    );
    Fact { name: name.to_owned(), value, state: FactState::Bad }
}

fn link(name: &str, link: &Link, place: String) -> Fact {
    if link.is_up() {
        return Fact::good(name, place);
    }
    let value = format!("{place}: away, records wait");
    Fact { name: name.to_owned(), value, state: FactState::Bad }
}
