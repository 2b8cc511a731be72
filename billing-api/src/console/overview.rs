//! The overview: figures, traffic, what happened last.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::Ts;
use store::args;

use super::chart::{self, Point};
use super::failure::{Failure, spare};
use super::guard::Signed;
use super::page::{self, Place, Viewer};
use super::words::{self, Key, Words};
use super::{sessions, setup as setup_page, show as shown};
use crate::domain::session::Filter;
use crate::domain::setup::Progress;
use crate::domain::{Actor, Fault, Office, PAGE_MAX, customer, nas, plan, service, session, setup};
use crate::entity::registry::by_name;
use crate::store::audit;

/// Latest sessions and latest changes shown.
const LATEST: i64 = 8;

/// A line of the activity feed.
struct Act {
    at: Ts,
    actor: String,
    action: String,
    entity: String,
    entity_id: String,
}

/// What the network's database tells; the office is shown without it where it is away.
struct Network {
    open: i64,
    points: Vec<Point>,
    latest: Vec<session::View>,
}

/// What the page shows.
struct View {
    now: Ts,
    /// How the viewer is named in the feed.
    label: String,
    customers: i64,
    services: i64,
    held: i64,
    /// NAS, and whether there are more than were counted.
    nas: (i64, bool),
    has_plan: bool,
    /// Whether the viewer may see what the network's database tells.
    sees_network: bool,
    network: Option<Network>,
    acts: Vec<Act>,
    /// The first setup, while it is not finished.
    setup: Option<Progress>,
}

/// `GET /`
pub(super) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let actor = &signed.actor;
        // Everybody has an overview, of what they may see.
        let may = |permission| actor.rights.has(permission);
        let network = match may("network.sessions") {
            true => spare(&request, network(&office, actor).await),
            false => None,
        };
        let (services, held) = match may("services.view") {
            true => service::count(&office, actor).await?,
            false => (0, 0),
        };
        let nas = match may("network.view") {
            true => Some(nas::list(&office, actor, None, PAGE_MAX).await?),
            false => None,
        };
        let view = View {
            now: office.now(),
            label: actor.label(),
            customers: match may("customers.view") {
                true => customer::count(&office, actor).await?,
                false => 0,
            },
            services,
            held,
            nas: nas.map_or((0, false), |nas| (nas.rows.len() as i64, nas.next.is_some())),
            has_plan: !may("plans.view")
                || !plan::list(&office, actor, None, 1).await?.rows.is_empty(),
            sees_network: may("network.sessions"),
            network,
            acts: if may("audit.view") { acts(&office, actor).await? } else { Vec::new() },
            setup: setup::progress(&office, actor).await?.filter(Progress::is_under_way),
        };
        Ok(page::send(StatusCode::OK, render(&signed.viewer, &view)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

async fn network(office: &Office, actor: &Actor) -> Result<Network, Fault> {
    let now = office.now();
    // One minute more than is shown, so that the first is whole.
    let since = now.plus_seconds(-60 * (chart::MINUTES + 1));
    let traffic = session::traffic(office, actor, since).await?;
    Ok(Network {
        open: session::count_open(office, actor).await?,
        points: chart::points(now, &traffic),
        latest: session::list(office, actor, &Filter::default(), None, LATEST).await?.rows,
    })
}

async fn acts(office: &Office, actor: &Actor) -> Result<Vec<Act>, Fault> {
    let rows = office.db.fetch_all(&audit::LATEST, args![actor.path.as_str(), LATEST]).await?;
    let act = |row: &store::Row| {
        Ok(Act {
            at: row.get("at")?,
            actor: row.get("actor")?,
            action: row.get("action")?,
            entity: row.get("entity")?,
            entity_id: row.get("entity_id")?,
        })
    };
    Ok(rows.iter().map(act).collect::<Result<_, store::StoreError>>()?)
}

fn render(viewer: &Viewer, view: &View) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::NAV_OVERVIEW);
    let latest_title = words.say(words::OVERVIEW_SESSIONS);
    let body = html! {
        div id="live" data-refresh {
            div.head {
                h1 { (title) }
                p.dim.live {
                    (words.say_with(words::UPDATED, &[("time", shown::second(words, view.now).into())]))
                }
            }
            @if let Some(progress) = &view.setup { (setup_page::reminder(words, progress)) }
            (tiles(words, view))
            (first_steps(words, view))
            @if view.sees_network {
                section {
                    h2 { (words.say(words::CHART_TITLE)) }
                    @match &view.network {
                        None => (page::empty(&words.say(words::AWAY), None)),
                        Some(network) => (chart::chart(words, view.now, &network.points)),
                    }
                }
                section {
                    div.head {
                        h2 { (latest_title) }
                        a href="/sessions?state=all" { (words.say(words::OVERVIEW_ALL_SESSIONS)) }
                    }
                    @match &view.network {
                        None => (page::empty(&words.say(words::AWAY), None)),
                        Some(network) if network.latest.is_empty() => {
                            (page::empty(&words.say(words::SESSIONS_EMPTY), None))
                        }
                        Some(network) => {
                            (sessions::table(words, view.now, &latest_title, &network.latest))
                        }
                    }
                }
            }
            section {
                h2 { (words.say(words::OVERVIEW_ACTIVITY)) }
                (activity(viewer, view))
            }
        }
    };
    page::page(viewer, Some(Place::Overview), &title, None, &body)
}

fn tiles(words: &Words, view: &View) -> Markup {
    let held = match view.held {
        0 => words.say(words::TILE_NONE_HELD),
        held => words.say_with(words::TILE_HELD, &[("n", shown::count(held).into())]),
    };
    let open = match &view.network {
        Some(network) => shown::count(network.open),
        None => words.say(words::NONE),
    };
    let (nas, more) = view.nas;
    let nas = format!("{}{}", shown::count(nas), if more { "+" } else { "" });
    let tile = |address: &str, name: Key, figure: String, about: Option<&str>| {
        html! {
            li {
                a.tile href=(address) {
                    span.name { (words.say(name)) }
                    span.figure { (figure) }
                    @if let Some(about) = about { span.about { (about) } }
                }
            }
        }
    };
    html! {
        ul.tiles aria-label=(words.say(words::OVERVIEW_FIGURES)) {
            (tile("/sessions", words::TILE_SESSIONS, open, None))
            (tile("/customers", words::TILE_CUSTOMERS, shown::count(view.customers), None))
            (tile("/services", words::TILE_SERVICES, shown::count(view.services), Some(&held)))
            (tile("/nas", words::TILE_NAS, nas, None))
        }
    }
}

/// What an empty office needs, until it has it.
fn first_steps(words: &Words, view: &View) -> Markup {
    let steps = [
        (view.has_plan, "/plans/new", words::FIRST_STEP_PLAN),
        (view.nas.0 > 0, "/nas/new", words::FIRST_STEP_NAS),
        (view.services > 0, "/customers/new", words::FIRST_STEP_CUSTOMER),
    ];
    if steps.iter().all(|(done, ..)| *done) {
        return html! {};
    }
    html! {
        section.card.steps {
            h2 { (words.say(words::FIRST_STEPS)) }
            p { (words.say(words::FIRST_STEPS_TEXT)) }
            ol {
                @for (done, address, name) in steps {
                    @if done {
                        li.dim { "✓ " (words.say(name)) }
                    } @else {
                        li { a href=(address) { (words.say(name)) } }
                    }
                }
            }
        }
    }
}

fn activity(viewer: &Viewer, view: &View) -> Markup {
    let words = &viewer.words;
    if view.acts.is_empty() {
        return page::empty(&words.say(words::OVERVIEW_NO_ACTIVITY), None);
    }
    html! {
        ul.activity {
            @for act in &view.acts {
                li {
                    span.what {
                        @match place(act) {
                            Some(address) => a href=(address) { (deed(words, act)) },
                            None => (deed(words, act)),
                        }
                    }
                    span.dim { (author(viewer, view, act)) " · " (shown::ago(words, view.now, act.at)) }
                }
            }
        }
    }
}

/// What was done, in words; what this console does not know yet is shown as it is called.
fn deed(words: &Words, act: &Act) -> String {
    let key = match (act.entity.as_str(), act.action.as_str()) {
        ("customer", "created") => words::ACT_CUSTOMER_CREATED,
        ("plan", "created") => words::ACT_PLAN_CREATED,
        ("service", "created") => words::ACT_SERVICE_CREATED,
        ("service", "plan_changed") => words::ACT_SERVICE_PLAN_CHANGED,
        ("service", "suspended") => words::ACT_SERVICE_SUSPENDED,
        ("service", "activated") => words::ACT_SERVICE_ACTIVATED,
        ("nas", "created") => words::ACT_NAS_CREATED,
        ("nas", "seen") => words::ACT_NAS_SEEN,
        ("radius_client", "created") => words::ACT_CLIENT_CREATED,
        ("radius_client", "secret_changed") => words::ACT_CLIENT_SECRET,
        (entity, action) => {
            let args = [
                ("entity", entity.replace('_', " ").into()),
                ("action", action.replace('_', " ").into()),
            ];
            return words.say_with(words::ACT_OTHER, &args);
        }
    };
    words.say(key)
}

/// Where the record is shown.
fn place(act: &Act) -> Option<String> {
    by_name(&act.entity).map(|entity| format!("/{}/{}", entity.path, act.entity_id))
}

fn author(viewer: &Viewer, view: &View, act: &Act) -> String {
    let words = &viewer.words;
    if act.actor == view.label {
        viewer.name.clone()
    } else if act.actor.starts_with("usr_") {
        words.say(words::BY_STAFF)
    } else if act.actor.starts_with("tok_") {
        words.say(words::BY_TOKEN)
    } else {
        words.say(words::BY_SYSTEM)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::page::tests::viewer;
    use crate::console::services::tests::now;
    use crate::console::sessions::tests::session;

    fn act(entity: &str, action: &str, actor: &str) -> Act {
        Act {
            at: now(),
            actor: actor.to_owned(),
            action: action.to_owned(),
            entity: entity.to_owned(),
            entity_id: format!("{entity}-id"),
        }
    }

    fn empty() -> View {
        View {
            now: now(),
            label: "usr_1".to_owned(),
            customers: 0,
            services: 0,
            held: 0,
            nas: (0, false),
            has_plan: false,
            sees_network: true,
            network: Some(Network { open: 0, points: vec![], latest: vec![] }),
            setup: None,
            acts: vec![],
        }
    }

    #[test]
    fn an_empty_office_is_shown_its_first_steps() {
        let text = render(&viewer(), &empty()).into_string();
        for part in [
            "First steps",
            "/plans/new",
            "/nas/new",
            "/customers/new",
            "No traffic was reported",
            "No session is open",
            "Nothing has been changed yet",
        ] {
            assert!(text.contains(part), "{part}");
        }
        let some = View { has_plan: true, ..empty() };
        let text = render(&viewer(), &some).into_string();
        assert!(text.contains("✓ Create a plan") && !text.contains("/plans/new"));
    }

    #[test]
    fn a_busy_office_shows_its_figures_sessions_and_changes() {
        let view = View {
            customers: 12_345,
            services: 13_000,
            held: 7,
            nas: (500, true),
            has_plan: true,
            network: Some(Network { open: 4_321, points: vec![], latest: vec![session("asha")] }),
            setup: None,
            acts: vec![
                act("service", "suspended", "usr_1"),
                act("nas", "seen", "system:aaad"),
                act("invoice", "sent_late", "tok_1"),
            ],
            ..empty()
        };
        let text = render(&viewer(), &view).into_string();
        for part in [
            "12\u{202f}345",
            "7 on hold",
            "500+",
            "4\u{202f}321",
            "asha",
            "Service suspended",
            "/services/service-id",
            "Asha &lt;script&gt;",
            "NAS met for the first time",
            "system",
            "invoice: sent late",
            "API",
            "As of 09:30:00",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("First steps"));
    }

    #[test]
    fn who_may_not_see_sessions_is_not_told_that_a_database_is_away() {
        let view = View { sees_network: false, network: None, ..empty() };
        let text = render(&viewer(), &view).into_string();
        assert!(!text.contains("does not answer") && !text.contains("Latest sessions"), "{text}");
    }

    #[test]
    fn the_office_is_shown_without_the_networks_database() {
        let text = render(&viewer(), &View { network: None, ..empty() }).into_string();
        assert!(text.matches("does not answer").count() == 2 && text.contains("Customers"));
    }
}
