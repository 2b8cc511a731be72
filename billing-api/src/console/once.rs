//! A page that shows a secret, once: to be copied by a button, or by hand where there is no
//! script.

use maud::{Markup, html};

use super::page::{self, Place, Viewer};
use super::words;

/// What is shown.
pub(super) struct Once<'a> {
    pub(super) place: &'static str,
    pub(super) title: String,
    /// What it is, and what to do with it.
    pub(super) text: String,
    pub(super) label: String,
    pub(super) secret: &'a str,
    /// Where to go on.
    pub(super) back: String,
    /// What the way on is called.
    pub(super) onwards: String,
}

/// The page.
pub(super) fn render(viewer: &Viewer, once: &Once<'_>) -> Markup {
    let body = html! {
        h1 { (once.title) }
        div.card.once {
            p { (once.text) }
            (copied(viewer, "secret", &once.label, once.secret))
            div.actions { a.button href=(once.back) { (once.onwards) } }
        }
    };
    page::page(viewer, Some(Place::At(once.place)), &once.title, None, &body)
}

/// A text to be copied.
pub(super) fn copied(viewer: &Viewer, id: &str, label: &str, text: &str) -> Markup {
    let words = &viewer.words;
    html! {
        div.field {
            span.label id=(format!("l-{id}")) { (label) }
            div.copied {
                code id=(id) aria-labelledby=(format!("l-{id}")) { (text) }
                button.quiet.only-script type="button" data-copy=(id)
                    data-copied=(words.say(words::COPIED)) { (words.say(words::COPY)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::page::tests::viewer;

    #[test]
    fn a_secret_is_text_that_can_be_selected_and_copied() {
        let once = Once {
            place: "tokens",
            title: "A <b>".to_owned(),
            text: "Keep it.".to_owned(),
            label: "Token".to_owned(),
            secret: "lmt_<x>",
            back: "/tokens/tok_1".to_owned(),
            onwards: "Done".to_owned(),
        };
        let text = render(&viewer(), &once).into_string();
        assert!(
            text.contains(r#"<code id="secret" aria-labelledby="l-secret">lmt_&lt;x&gt;</code>"#)
        );
        assert!(text.contains(r#"data-copy="secret""#) && text.contains("A &lt;b&gt;"));
    }
}
