//! API tokens: what they may do, the page that shows a new one once, how much they are used.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::{Secret, TokenId, Ts};

use super::failure::Failure;
use super::guard::{Post, Signed};
use super::once::{self, Once};
use super::page::{self, Notice, Viewer};
use super::words::{self, Key, Words};
use super::{chart, rights, show, viewer};
use crate::domain::access::token::{self, OVERLAP_S, OVERLAP_S_MAX};
use crate::domain::access::{Rights, scope};
use crate::domain::{Fault, Office};

/// How long the old secret may stay good: seconds, and how that is called.
const GRACES: [(i64, Key); 5] = [
    (0, words::GRACE_NONE),
    (3600, words::GRACE_HOUR),
    (OVERLAP_S, words::GRACE_DAY),
    (7 * 24 * 3600, words::GRACE_WEEK),
    (OVERLAP_S_MAX, words::GRACE_MONTH),
];

/// The scopes with a name of their own, and what is said of each.
const NAMED: [(&str, Key, Key); 3] = [
    ("read", words::SCOPE_READ, words::SCOPE_READ_TEXT),
    ("write", words::SCOPE_WRITE, words::SCOPE_WRITE_TEXT),
    ("full", words::SCOPE_FULL, words::SCOPE_FULL_TEXT),
];

fn is_named(scope: &str) -> bool {
    NAMED.iter().any(|(name, ..)| *name == scope)
}

/// The scopes of a token, to choose: three with a name, and single permissions.
pub(super) fn scopes(words: &Words, own: &Rights, field: &str, text: &str) -> Markup {
    let (named, patterns): (Vec<&str>, Vec<&str>) = text.lines().partition(|line| is_named(line));
    html! {
        div.choices {
            @for (name, title, about) in NAMED {
                @let lacks = own.missing(&scope::rights(&serde_json::json!([name]))).is_some();
                label.check {
                    input type="checkbox" name=(format!("{field}:{name}"))
                        checked[named.contains(&name)] disabled[lacks];
                    span {
                        b { (words.say(title)) } " " span.dim { (words.say(about)) }
                        @if lacks { " " span.dim { (words.say(words::RIGHTS_NOT_YOURS)) } }
                    }
                }
            }
        }
        details.more open[!patterns.is_empty()] {
            summary { (words.say(words::SCOPE_SOME)) }
            (rights::grid(words, own, field, &patterns.join("\n")))
        }
    }
}

/// Scopes in one order; whoever may do everything needs no other.
pub(super) fn plain(text: &str) -> String {
    let has = |name: &str| text.lines().any(|line| line == name);
    if has("full") {
        return "full".to_owned();
    }
    let named = NAMED.iter().map(|(name, ..)| *name).filter(|name| has(name));
    let patterns = rights::plain(text);
    named.chain(patterns.lines()).collect::<Vec<_>>().join("\n")
}

/// Makes a token, and shows it.
pub(super) async fn create(
    office: &Office,
    signed: &Signed,
    body: Vec<u8>,
) -> Result<HttpResponse, Fault> {
    let (id, token) = token::create(office, &signed.actor, token::New::parse(&body)?).await?;
    let text = signed.viewer.words.say(words::TOKEN_MADE_TEXT);
    let title = signed.viewer.words.say(words::TOKEN_MADE);
    Ok(page::send(StatusCode::CREATED, revealed(&signed.viewer, id, &token, title, text)))
}

fn revealed(
    viewer: &Viewer,
    id: TokenId,
    token: &Secret<String>,
    title: String,
    text: String,
) -> Markup {
    let words = &viewer.words;
    let once = Once {
        place: "tokens",
        title,
        text,
        label: words.say(words::TOKEN),
        secret: token.expose(),
        back: format!("/tokens/{id}"),
        onwards: words.say(words::ONCE_KEPT),
    };
    once::render(viewer, &once)
}

/// What belongs on the page of a token.
pub(super) async fn of_token(office: &Office, signed: &Signed, id: &str) -> Result<Markup, Fault> {
    let token: TokenId = id.parse().map_err(|_| Fault::NotFound("token"))?;
    let mut days = token::usage(office, &signed.actor, token).await?;
    days.reverse();
    let version = match viewer::holds(&signed.actor, "tokens.edit") {
        true => Some(token::version(office, &signed.actor, token).await?),
        false => None,
    };
    Ok(render(&signed.viewer, id, office.now(), &days, version))
}

/// `version`: of the token, where the viewer may give it another secret.
fn render(
    viewer: &Viewer,
    id: &str,
    now: Ts,
    days: &[(String, i64)],
    version: Option<i64>,
) -> Markup {
    let words = &viewer.words;
    html! {
        section {
            h2 { (words.say(words::TOKEN_USAGE)) }
            (chart::days(words, now, words::TOKEN_USAGE, days))
        }
        @if let Some(version) = version {
            section {
                h2 { (words.say(words::TOKEN_ROTATE)) }
                form.card method="post" action=(format!("/tokens/{id}/rotate")) {
                    (page::csrf(viewer))
                    // A reload of the answer must not rotate again: the secret in use would go.
                    input type="hidden" name="version" value=(version);
                    p { (words.say(words::TOKEN_ROTATE_TEXT)) }
                    (grace(words, &GRACES, OVERLAP_S))
                    button type="submit" { (words.say(words::TOKEN_ROTATE_GO)) }
                }
            }
        }
    }
}

/// How long the old secret stays good.
pub(super) fn grace(words: &Words, graces: &[(i64, Key)], usual: i64) -> Markup {
    html! {
        div.field {
            label for="f-grace" { (words.say(words::GRACE)) }
            select id="f-grace" name="grace" {
                @for (value, name) in graces {
                    option value=(value) selected[*value == usual] { (words.say(*name)) }
                }
            }
        }
    }
}

/// `POST /tokens/{id}/rotate`
pub(super) async fn rotate(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
    id: Path<String>,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let id: TokenId = id.parse().map_err(|_| Fault::NotFound("token"))?;
        let signed = &post.signed;
        let wanted = post.fields.get("grace").parse().unwrap_or(OVERLAP_S);
        let known = GRACES.iter().any(|(grace, _)| *grace == wanted);
        let grace = if known { wanted } else { OVERLAP_S };
        let version = post.fields.get("version").parse().map_err(|_| Fault::Stale)?;
        let rotated = token::rotate(&office, &signed.actor, id, grace, Some(version)).await;
        if matches!(rotated, Err(Fault::Stale)) {
            return Ok(page::go(&Notice::Stale.after(&format!("/tokens/{id}"))));
        }
        let (token, until) = rotated?;
        let words = &signed.viewer.words;
        let until = [("until", show::minute(words, until).into())];
        let text = words.say_with(words::TOKEN_ROTATED_TEXT, &until);
        let title = words.say(words::TOKEN_ROTATED);
        Ok(page::send(StatusCode::OK, revealed(&signed.viewer, id, &token, title, text)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::page::tests::viewer;

    #[test]
    fn scopes_are_offered_as_far_as_one_has_them() {
        let words = Words::english();
        let own = Rights::of(&["*.view", "network.sessions", "customers.*"]);
        let text = scopes(&words, &own, "scopes", "read\ncustomers.edit").into_string();
        let tag = |name: &str| {
            let at = text.find(&format!(r#"name="scopes:{name}""#)).unwrap();
            text[at..].split('>').next().unwrap().to_owned()
        };
        assert!(tag("read").contains("checked") && !tag("read").contains("disabled"));
        assert!(tag("full").contains("disabled") && tag("write").contains("disabled"));
        assert!(tag("customers.edit").contains("checked"));
        assert!(text.contains("<details class=\"more\" open>"), "{text}");
        assert_eq!(plain("customers.edit\nwrite\nread"), "read\nwrite\ncustomers.edit");
        assert_eq!(plain("customers.edit\nfull"), "full");
    }

    #[test]
    fn rotation_is_offered_to_those_who_may() {
        let now = Ts::from_seconds(1_772_357_400);
        let days = [("2026-03-01".to_owned(), 7)];
        let text = render(&viewer(), "tok_1", now, &days, Some(7)).into_string();
        assert!(text.contains("/tokens/tok_1/rotate") && text.contains("<svg"), "{text}");
        assert!(text.contains(r#"name="version" value="7""#), "{text}");
        let text = render(&viewer(), "tok_1", now, &[], None).into_string();
        assert!(!text.contains("rotate") && !text.contains("<svg"), "{text}");
    }
}
