//! What applies to each organisation, in memory.
//!
//! Every change of settings, and of an organisation's name or place, raises a count in the
//! database in its own transaction. What is kept here was read after the count it carries, and
//! is used while the count stays. The count is asked for again after a commit of this process,
//! and else once in [`FRESH_FOR`]: that is how long another process's change may go unseen.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use model::OrganisationId;
use store::{Db, args};

use super::{Defaults, Layers};
use crate::domain::Fault;
use crate::store::{organisation, setting as sql};

/// How long a count is believed.
pub(crate) const FRESH_FOR: Duration = Duration::from_secs(2);

/// Organisations kept at most; a full cache starts over, which costs a statement for each.
const KEPT_MAX: usize = 10_000;

/// The cache. One a process.
pub(crate) struct Cache {
    fresh_for: Duration,
    defaults: Defaults,
    state: RwLock<State>,
    /// One asks for the count, the others wait for the answer.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The root never changes.
    root: Option<OrganisationId>,
    /// The count, and when it was asked for.
    revision: Option<(i64, Instant)>,
    /// Commits of this process: an answer that was under way during one is not believed.
    commits: u64,
    /// With the count that was known before they were read.
    kept: HashMap<OrganisationId, (i64, Arc<Layers>)>,
}

impl Default for Cache {
    fn default() -> Self {
        Self::new(FRESH_FOR)
    }
}

impl Cache {
    /// An empty one.
    pub(crate) fn new(fresh_for: Duration) -> Self {
        Self {
            fresh_for,
            defaults: Defaults::default(),
            state: RwLock::default(),
            asking: tokio::sync::Mutex::default(),
        }
    }

    /// An empty one of an installation that says what applies where nobody set anything.
    pub(crate) fn with_defaults(self, defaults: Defaults) -> Self {
        Self { defaults, ..self }
    }

    /// What the installation says of what nobody set.
    pub(super) fn defaults(&self) -> &Defaults {
        &self.defaults
    }

    /// What applies to an organisation.
    pub(super) async fn of(
        &self,
        db: &Db,
        organisation: OrganisationId,
    ) -> Result<Arc<Layers>, Fault> {
        let revision = self.revision(db).await?;
        if let Some((at, layers)) = self.read().kept.get(&organisation)
            && *at == revision
        {
            return Ok(layers.clone());
        }
        let rows = db.fetch_all(&sql::LAYERS, args![organisation]).await?;
        let layers = Layers::read(&rows, &self.defaults)?.ok_or(Fault::NotFound("organisation"))?;
        let layers = Arc::new(layers);
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.kept.len() >= KEPT_MAX {
            state.kept.clear();
        }
        state.kept.insert(organisation, (revision, layers.clone()));
        Ok(layers)
    }

    /// What applies to the root.
    pub(super) async fn of_root(&self, db: &Db) -> Result<Arc<Layers>, Fault> {
        let known = self.read().root;
        let root = match known {
            Some(root) => root,
            None => {
                let row = db.fetch_one(&organisation::FIND_ROOT, args![]).await?;
                let root = organisation::organisation(&row)?.id;
                self.state.write().unwrap_or_else(PoisonError::into_inner).root = Some(root);
                root
            }
        };
        self.of(db, root).await
    }

    /// Something was committed: the count is asked for before anything here is used again.
    pub(crate) fn committed(&self) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        state.revision = None;
        state.commits += 1;
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, State> {
        // No writer panics halfway: a poisoned state is a whole one.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn fresh(&self) -> Option<i64> {
        let (revision, asked) = self.read().revision?;
        (asked.elapsed() < self.fresh_for).then_some(revision)
    }

    async fn revision(&self, db: &Db) -> Result<i64, Fault> {
        if let Some(revision) = self.fresh() {
            return Ok(revision);
        }
        let _turn = self.asking.lock().await;
        if let Some(revision) = self.fresh() {
            return Ok(revision);
        }
        // The clock is read first: the answer is at least as new as that.
        let (asked, commits) = (Instant::now(), self.read().commits);
        let row = db.fetch_one(&sql::REVISION, args![]).await?;
        let revision: i64 = row.get("revision")?;
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if state.commits == commits {
            state.revision = Some((revision, asked));
        }
        Ok(revision)
    }
}
