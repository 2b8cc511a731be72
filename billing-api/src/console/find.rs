//! Search over everything: a page of results by kind of record, suggestions while typing, and
//! ways straight to a record.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::failure::Failure;
use super::guard::{Fields, Signed};
use super::page::{self, Viewer};
use super::records::Address;
use super::words::{self, Words};
use crate::domain::{Actor, Fault, Office};
use crate::entity::query::ListQuery;
use crate::entity::registry::{ENTITIES, by_prefix};
use crate::entity::search::{self, Found, Group};
use crate::entity::{Entity, Flags, Kind, read};

/// Results of one kind; the kind's own list has the others.
const RESULTS_EACH: usize = 10;
/// Suggestions of one kind while typing, and of how many kinds.
const SUGGESTIONS_EACH: usize = 4;
const SUGGESTED_KINDS: usize = 3;
/// Longest query, characters.
const QUERY_MAX: usize = 200;

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
enum Wish<'a> {
    /// An id.
    Id(&'static str, uuid::Uuid),
    /// `#1001`, of one kind of record where it was named.
    Number(i64, Option<&'a str>),
    /// Words, of one kind of record where it was named.
    Words(&'a str, Option<&'a str>),
}

impl<'a> Wish<'a> {
    fn of(text: &'a str) -> Self {
        let (kind, rest) = match text.strip_prefix('@') {
            Some(rest) => {
                let end = rest.find([' ', ':']).unwrap_or(rest.len());
                let (kind, rest) = rest.split_at(end);
                (Some(kind), rest.trim_start_matches([' ', ':']))
            }
            None => (None, text),
        };
        if let Some(number) = rest.strip_prefix('#').and_then(|number| number.trim().parse().ok()) {
            return Self::Number(number, kind);
        }
        let prefix = rest.split('_').next().and_then(by_prefix);
        if let Some(entity) = prefix
            && let Ok(id) = model::id::parse(entity.prefix, rest)
        {
            return Self::Id(entity.prefix, id);
        }
        Self::Words(rest, kind)
    }
}

/// The kind of record that `@word` means: its path or its name, as far as it was typed.
fn kind_of(actor: &Actor, words: &Words, word: &str) -> Option<&'static Entity> {
    let word = word.to_lowercase();
    let mut searched = ENTITIES
        .iter()
        .copied()
        .filter(|entity| entity.is_searched() && read::may(actor, entity, "view"));
    let begins = |entity: &&'static Entity| {
        let own = words.entities(entity).to_lowercase();
        !word.is_empty()
            && (entity.path.starts_with(&word) || entity.name == word || own.starts_with(&word))
    };
    searched.find(begins)
}

/// The record with an id, or the only one with a number: where to go.
async fn straight(
    office: &Office,
    actor: &Actor,
    words: &Words,
    wish: &Wish<'_>,
) -> Result<Option<String>, Fault> {
    let (number, kind) = match wish {
        Wish::Id(prefix, id) => {
            let Some(entity) = by_prefix(prefix).filter(|entity| read::may(actor, entity, "view"))
            else {
                return Ok(None);
            };
            return match read::find(office, actor, entity, *id).await {
                Ok(_) => Ok(Some(address(entity, *id))),
                Err(Fault::NotFound(_)) => Ok(None),
                Err(fault) => Err(fault),
            };
        }
        Wish::Number(number, kind) => (number, kind),
        Wish::Words(..) => return Ok(None),
    };
    let named = kind.and_then(|word| kind_of(actor, words, word));
    let numbered = ENTITIES.iter().copied().filter(|entity| {
        let field = entity.field("number");
        field.is_some_and(|field| {
            matches!(field.kind, Kind::Integer(..)) && field.flags.has(Flags::FILTERABLE)
        }) && read::may(actor, entity, "view")
            && named.is_none_or(|named| named.name == entity.name)
    });
    let mut found = Vec::new();
    for entity in numbered {
        let parameters = [("number", number.to_string()), ("limit", "2".to_owned())];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value));
        let query = ListQuery::parse(entity, &[], parameters.into())?;
        for row in read::list(office, actor, entity, &query).await?.rows {
            found.push(format!("/{}/{}", entity.path, row["id"].as_str().unwrap_or_default()));
        }
    }
    // Numbers repeat in organisations side by side: then the results are shown.
    Ok(if found.len() == 1 { found.pop() } else { None })
}

fn address(entity: &Entity, id: uuid::Uuid) -> String {
    format!("/{}/{}", entity.path, model::id::show(entity.prefix, id))
}

/// The words that are looked for, and the one kind of record they are looked for in.
fn terms<'a>(
    actor: &Actor,
    words: &Words,
    wish: &Wish<'a>,
) -> (std::borrow::Cow<'a, str>, Option<&'static Entity>) {
    match wish {
        Wish::Words(text, kind) => {
            ((*text).into(), kind.and_then(|word| kind_of(actor, words, word)))
        }
        Wish::Number(number, kind) => {
            (number.to_string().into(), kind.and_then(|word| kind_of(actor, words, word)))
        }
        Wish::Id(..) => ("".into(), None),
    }
}

fn typed(request: &HttpRequest) -> String {
    let fields = Fields::of_query(request);
    fields.get("q").chars().filter(|c| !c.is_control()).take(QUERY_MAX).collect()
}

/// `GET /search?q=`
pub(super) async fn show(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        let query = typed(&request);
        let wish = Wish::of(&query);
        if let Some(address) = straight(&office, actor, &viewer.words, &wish).await? {
            return Ok(page::go(&address));
        }
        let (text, only) = terms(actor, &viewer.words, &wish);
        let found = search::everywhere(&office, actor, &text, only, RESULTS_EACH).await?;
        Ok(page::send(StatusCode::OK, render(viewer, &query, &text, &found)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `GET /search/suggest?q=`: what stands below the search while one types.
pub(super) async fn suggest(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let Signed { actor, viewer, .. } = &signed;
        let query = typed(&request);
        let (text, only) = terms(actor, &viewer.words, &Wish::of(&query));
        let mut found = search::everywhere(&office, actor, &text, only, SUGGESTIONS_EACH).await?;
        found.truncate(SUGGESTED_KINDS);
        Ok(page::send(StatusCode::OK, suggestions(&viewer.words, &text, &found)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn render(viewer: &Viewer, query: &str, text: &str, found: &[Group]) -> Markup {
    let words = &viewer.words;
    let quoted = || [("query", query.to_owned().into())];
    let title = match query {
        "" => words.say(words::FIND_TITLE),
        _ => words.say_with(words::FIND_RESULTS, &quoted()),
    };
    let body = html! {
        h1 { (title) }
        @if query.is_empty() {
            (page::empty(&words.say(words::FIND_START), None))
        } @else if found.is_empty() {
            (page::empty(&words.say_with(words::FIND_NOTHING, &quoted()), None))
        }
        div.found {
            @for group in found {
                @let many = words.entities(group.entity);
                h2 { (many) }
                ul {
                    @for one in &group.found { li { (line(words, text, one)) } }
                }
                @if group.more {
                    p {
                        a href=(Address::of(format!("/{}", group.entity.path)).with("q", text)) {
                            (words.say_with(words::FIND_ALL, &[
                                ("many", many.clone().into()), ("query", text.to_owned().into())
                            ]))
                        }
                    }
                }
            }
        }
    };
    page::page(viewer, None, &title, None, &body)
}

fn suggestions(words: &Words, text: &str, found: &[Group]) -> Markup {
    html! {
        @for group in found {
            h3 { (words.entities(group.entity)) }
            @for one in &group.found { (line(words, text, one)) }
        }
        p.dim.small {
            @if found.is_empty() {
                (words.say_with(words::FIND_NOTHING, &[("query", text.to_owned().into())]))
            } @else {
                (words.say(words::FIND_ENTER))
            }
        }
    }
}

fn line(words: &Words, text: &str, found: &Found) -> Markup {
    html! {
        a href=(address(found.entity, found.id)) {
            span { (marked(&found.title, text)) }
            span.dim.small { (words.entity(found.entity)) }
        }
    }
}

/// A title with the beginnings of its words marked that the query has.
fn marked(title: &str, query: &str) -> Markup {
    let wanted = search::words(query);
    let mut parts: Vec<(String, bool)> = Vec::new();
    for word in title.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let lower = word.to_lowercase();
        let hit = wanted.iter().filter(|wanted| lower.starts_with(wanted.as_str()));
        let length = hit.map(|wanted| wanted.chars().count()).max().unwrap_or(0);
        // Folding may change how many letters a word has; then the whole of it is marked.
        let same = lower.chars().count() == word.chars().count();
        let letters = if same || length == 0 { length } else { word.chars().count() };
        let end = word.char_indices().nth(letters).map_or(word.len(), |(at, _)| at);
        parts.push((word[..end].to_owned(), true));
        parts.push((word[end..].to_owned(), false));
    }
    html! {
        @for (part, hit) in parts.iter().filter(|(part, _)| !part.is_empty()) {
            @if *hit { mark { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::console::page::tests::viewer;
    use crate::entity::registry::LABEL;

    #[test]
    fn what_was_typed_is_words_a_number_or_an_id() {
        assert_eq!(Wish::of("asha kumar"), Wish::Words("asha kumar", None));
        assert_eq!(Wish::of("@customers asha"), Wish::Words("asha", Some("customers")));
        assert_eq!(Wish::of("@customers: #6"), Wish::Number(6, Some("customers")));
        assert_eq!(Wish::of("#1001"), Wish::Number(1001, None));
        assert_eq!(Wish::of("#x"), Wish::Words("#x", None));
        let id = Uuid::now_v7();
        assert_eq!(Wish::of(&model::id::show("lbl", id)), Wish::Id("lbl", id));
        assert_eq!(Wish::of("lbl_odd"), Wish::Words("lbl_odd", None));
        assert_eq!(Wish::of("@"), Wish::Words("", Some("")));
    }

    #[test]
    fn the_beginnings_that_were_found_are_marked_and_nothing_gets_through() {
        assert_eq!(
            marked("Asha Kumar-<b>", "ku ash").into_string(),
            "<mark>Ash</mark>a <mark>Ku</mark>mar-&lt;b&gt;"
        );
        assert_eq!(marked("İstanbul", "i").into_string().matches("<mark>").count(), 1);
        assert_eq!(marked("Łódź", "łó").into_string(), "<mark>Łó</mark>dź");
    }

    #[test]
    fn results_stand_by_kind_and_lead_to_their_records() {
        let one =
            |title: &str| Found { entity: &LABEL, id: Uuid::now_v7(), title: title.to_owned() };
        let found = (0..10).map(|n| one(&format!("VIP {n}"))).collect();
        let found = [Group { entity: &LABEL, found, more: true }];
        let text = render(&viewer(), "@labels vip", "vip", &found).into_string();
        assert!(text.contains("Results for “@labels vip”") && text.contains("/labels/lbl_"));
        assert!(text.contains(r#"href="/labels?q=vip""#), "{text}");
        let nothing = render(&viewer(), "<zz>", "<zz>", &[]).into_string();
        assert!(nothing.contains("Nothing has “&lt;zz&gt;”"));
    }
}
