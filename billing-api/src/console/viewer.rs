//! Who looks: where they may go, where they work, and how they like it.

use store::args;

use super::menu::Menu;
use super::page::{BRANCHES_MAX, Branch, Theme, Viewer};
use super::words::Words;
use crate::domain::calendar::Calendar;
use crate::domain::{Actor, Fault, Office, module, preference, setting};
use crate::entity::read;
use crate::store::organisation;

/// The organisation that is worked in.
pub(super) const ORGANISATION: &str = "organisation";
/// Light, dark, or as the device wishes.
pub(super) const THEME: &str = "theme";
/// Rows of a list.
pub(super) const SIZE: &str = "size";

impl Viewer {
    /// Gathers what pages need, and moves the actor into the organisation that was chosen at the
    /// top of a page: what is below it is seen, and new records land there. The choice only ever
    /// narrows; one that is not, or no longer, below the actor's own counts as none.
    pub(super) async fn load(
        office: &Office,
        actor: &mut Actor,
        csrf: String,
        words: Words,
        own_zone: Option<&str>,
    ) -> Result<Self, Fault> {
        let preferences = preference::load(office, actor).await?;
        let args = args![actor.path.as_str(), BRANCHES_MAX as i64 + 1];
        let rows = office.db.fetch_all(&organisation::BELOW, args).await?;
        let mut own = rows.iter().map(organisation::organisation).collect::<Result<Vec<_>, _>>()?;
        let chosen = preferences.text(ORGANISATION).and_then(|id| id.parse().ok());
        if let Some(id) = chosen.filter(|id| own.iter().all(|known| known.id != *id)) {
            // It lies beyond the first of a large tree.
            let row = office.db.fetch_optional(&organisation::FIND, args![id]).await?;
            let found = row.as_ref().map(organisation::organisation).transpose()?;
            own.extend(found.filter(|found| found.path.starts_with(&actor.path)));
        }
        let home = actor.path.matches('/').count();
        let branches = own.iter().map(|organisation| Branch {
            id: organisation.id.to_string(),
            name: organisation.name.clone(),
            depth: organisation.path.matches('/').count().saturating_sub(home),
        });
        let branches = branches.collect();
        let here = chosen.unwrap_or(actor.organisation);
        let here = own.into_iter().find(|organisation| organisation.id == here);
        // Of those who have none of their own: the zone of where they work.
        let mut zone = own_zone.map(str::to_owned);
        if let Some(here) = here {
            actor.organisation = here.id;
            actor.path = here.path;
            zone = zone.or(Some(here.zone));
        }
        let settings = setting::of(office, actor.organisation).await?;
        let menu = Menu::of(
            |entity| read::may(actor, entity, "view"),
            |permission| holds(actor, permission),
            |path| module::guard_in(&settings, &format!("/{path}")).is_ok(),
        );
        Ok(Self {
            name: actor.name.clone(),
            csrf,
            words: words.by(Calendar::of(&settings, zone.as_deref())),
            settings,
            impersonator: None,
            menu,
            branches,
            branch: actor.organisation.to_string(),
            theme: Theme::from_word(preferences.text(THEME).unwrap_or("")),
            size: preferences.number(SIZE),
            preferences,
        })
    }
}

/// Whether the actor holds a permission.
pub(super) fn holds(actor: &Actor, permission: &str) -> bool {
    actor.rights.has(permission)
}
