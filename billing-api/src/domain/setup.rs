//! The first setup: what a new provider needs before the first subscriber, step by step.
//!
//! What was done is read from the data itself, so that it can be left and taken up anywhere,
//! and a step done elsewhere counts.

use store::args;

use super::setting::{self, registry};
use super::{Actor, Fault, Office, nas, plan};
use crate::store::organisation as sql;

/// A step of the setup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// The company's name and numbers.
    Business,
    /// Zone, currency, language, fiscal year.
    Operation,
    /// The first plan.
    Plan,
    /// The first NAS.
    Nas,
    /// Somebody else to work with.
    Staff,
}

impl Step {
    /// In their order.
    pub(crate) const ALL: [Step; 5] =
        [Self::Business, Self::Operation, Self::Plan, Self::Nas, Self::Staff];

    /// Its word in addresses.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Business => "business",
            Self::Operation => "operation",
            Self::Plan => "plan",
            Self::Nas => "nas",
            Self::Staff => "staff",
        }
    }

    /// The step of a word.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.word() == word)
    }

    /// The one after it.
    pub(crate) fn next(self) -> Option<Self> {
        let at = Self::ALL.iter().position(|step| *step == self)?;
        Self::ALL.get(at + 1).copied()
    }
}

/// How far the setup is.
#[derive(Debug)]
pub(crate) struct Progress {
    /// Finished, or sent away.
    pub(crate) closed: bool,
    pub(crate) steps: Vec<(Step, bool)>,
}

impl Progress {
    /// Whether it is neither finished nor sent away.
    pub(crate) fn is_under_way(&self) -> bool {
        !self.closed && self.open().is_some()
    }

    /// How many steps are done.
    pub(crate) fn done(&self) -> usize {
        self.steps.iter().filter(|(_, done)| *done).count()
    }

    /// The first step that is not done.
    pub(crate) fn open(&self) -> Option<Step> {
        self.steps.iter().find(|(_, done)| !done).map(|(step, _)| *step)
    }
}

/// How far the setup is; nothing for those who do not act for the root.
pub(crate) async fn progress(office: &Office, actor: &Actor) -> Result<Option<Progress>, Fault> {
    let layers = setting::of(office, actor.organisation).await?;
    if layers.all().len() != 1 {
        return Ok(None);
    }
    let closed = layers.flag(&registry::SETUP_CLOSED);
    let mut steps = Vec::new();
    for step in Step::ALL {
        let done = match step {
            Step::Business => layers.own(registry::LEGAL_NAME.key).is_some(),
            // The first start sets the rest.
            Step::Operation => layers.own(registry::FISCAL_YEAR_START.key).is_some(),
            Step::Plan => !plan::list(office, actor, None, 1).await?.rows.is_empty(),
            Step::Nas => !nas::list(office, actor, None, 1).await?.rows.is_empty(),
            Step::Staff => {
                let args = args![actor.path.as_str()];
                office.db.fetch_one(&sql::COUNT_STAFF, args).await?.get::<i64>("n")? > 1
            }
        };
        steps.push((step, done));
    }
    Ok(Some(Progress { closed, steps }))
}

/// Ends the setup, finished or not, or takes it up again.
pub(crate) async fn close(office: &Office, actor: &Actor, closed: bool) -> Result<(), Fault> {
    if progress(office, actor).await?.is_none() {
        return Err(Fault::NotFound("page"));
    }
    let key = registry::SETUP_CLOSED.key.to_owned();
    let change = serde_json::Map::from_iter([(key, closed.into())]);
    setting::patch(office, actor, None, &change, None).await?;
    Ok(())
}
