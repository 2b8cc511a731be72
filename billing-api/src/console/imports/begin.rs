//! The first step: which records, and the file.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use sheet::{Delimiter, Format};

use super::{Step, address, offered, problem, sentences, target_name, trail};
use crate::console::failure::Failure;
use crate::console::guard::{Fields, Signed};
use crate::console::page::{self, Place, Viewer};
use crate::console::upload::PostImport;
use crate::console::words::{self, Key, Words};
use crate::domain::{Fault, Office};
use crate::entity::custom::{self, Custom};
use crate::entity::import::{self, IMPORT, Said, mapping};
use crate::entity::{Entity, Flags, read};
use crate::http::{self, Problem};

const FORMATS: [(Format, Key); 4] = [
    (Format::Csv, words::IMPORT_FORMAT_CSV),
    (Format::Xlsx, words::IMPORT_FORMAT_XLSX),
    (Format::Json, words::IMPORT_FORMAT_JSON),
    (Format::JsonLines, words::IMPORT_FORMAT_JSON_LINES),
];

const DELIMITERS: [(Delimiter, Key); 4] = [
    (Delimiter::Comma, words::DELIMITER_COMMA),
    (Delimiter::Semicolon, words::DELIMITER_SEMICOLON),
    (Delimiter::Tab, words::DELIMITER_TAB),
    (Delimiter::Pipe, words::DELIMITER_PIPE),
];

/// `GET /imports/new`: which records.
pub(in crate::console) async fn choose(signed: Signed) -> HttpResponse {
    let words = &signed.viewer.words;
    let title = words.say(words::IMPORT_NEW);
    let body = html! {
        p.crumb { a href="/imports" { (words.entities(&IMPORT)) } }
        h1 { (title) }
        p { (words.say(words::IMPORT_CHOOSE)) }
        ul.kinds {
            @for entity in offered(&signed) {
                li { a href=(format!("/{}/import", entity.path)) { (words.entities(entity)) } }
            }
        }
    };
    let page = page::page(&signed.viewer, Some(Place::At("imports")), &title, None, &body);
    page::send(StatusCode::OK, page)
}

/// `GET /{path}/import`
pub(in crate::console) async fn form(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        let customs = custom::of(&office, &signed.actor.path, entity).await?;
        let targets = mapping::targets(&signed.actor.rights, entity, &customs);
        let page = render(&signed.viewer, entity, &customs, &targets, &Chosen::default(), &[]);
        Ok(page::send(StatusCode::OK, page))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// What was said of a file.
struct Chosen {
    format: String,
    delimiter: String,
    header: bool,
    sheet: String,
}

impl Default for Chosen {
    fn default() -> Self {
        Self { format: String::new(), delimiter: String::new(), header: true, sheet: String::new() }
    }
}

impl Chosen {
    fn of(fields: &Fields) -> Self {
        Self {
            format: fields.get("format").to_owned(),
            delimiter: fields.get("delimiter").to_owned(),
            header: !fields.get("header").is_empty(),
            sheet: fields.get("sheet").to_owned(),
        }
    }

    fn said(&self, name: String) -> Result<Said, Fault> {
        let word = |text: &str, name: &str| -> Result<bool, Fault> {
            let known = Format::READ.iter().any(|format| format.name() == text)
                || Delimiter::ALL.iter().any(|delimiter| delimiter.name() == text);
            match (text, known) {
                ("", _) => Ok(false),
                (_, true) => Ok(true),
                _ => Err(Fault::field(format!("/{name}"), "is not one of those offered")),
            }
        };
        word(&self.format, "format")?;
        word(&self.delimiter, "delimiter")?;
        Ok(Said {
            name,
            format: self.format.parse().ok(),
            delimiter: self.delimiter.parse().ok(),
            header: Some(self.header),
            guard: None,
            sheet: (!self.sheet.is_empty()).then(|| self.sheet.clone()),
        })
    }
}

/// `POST /{path}/import`: the file; on to its columns.
pub(in crate::console) async fn send(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    post: PostImport,
) -> Result<HttpResponse, Failure> {
    let PostImport { signed, sent } = post;
    let mut chosen = Chosen::default();
    let result = async {
        let taken = async {
            let (fields, file) = sent?;
            chosen = Chosen::of(&fields);
            let words = &signed.viewer.words;
            let file =
                file.ok_or_else(|| Fault::field("", words.say(words::IMPORT_FILE_MISSING)))?;
            let said = chosen.said(file.name)?;
            import::take(&office, &signed.actor, entity, said, file.content).await
        };
        match taken.await {
            Ok(id) => {
                let id = model::id::show(IMPORT.prefix, id);
                Ok(page::go(&address(&id, "/mapping")))
            }
            Err(fault) => {
                let status = Problem::status(&fault).0;
                let faults = sentences(fault)?;
                let customs = custom::of(&office, &signed.actor.path, entity).await?;
                let targets = mapping::targets(&signed.actor.rights, entity, &customs);
                let page = render(&signed.viewer, entity, &customs, &targets, &chosen, &faults);
                Ok(page::send(status, page))
            }
        }
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// `GET /{path}/import-template?format=`
pub(in crate::console) async fn template(
    entity: &'static Entity,
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let result = async {
        if !read::may(&signed.actor, entity, "import") {
            return Err(Fault::NotFound("page"));
        }
        let fields = Fields::of_query(&request);
        let format = match fields.get("format") {
            "" => Format::Csv,
            word => word.parse().map_err(|error| Fault::field("?format", format!("{error}")))?,
        };
        let comma = Delimiter::default();
        http::template_of(entity, &office, &signed.actor, format, comma).await
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

fn render(
    viewer: &Viewer,
    entity: &'static Entity,
    customs: &[Custom],
    targets: &[String],
    chosen: &Chosen,
    faults: &[String],
) -> Markup {
    let words = &viewer.words;
    let title = title(words, entity);
    let (list, here) = (format!("/{}", entity.path), format!("/{}/import", entity.path));
    let invalid = (!faults.is_empty()).then_some("true");
    let body = html! {
        p.crumb { a href=(list) { (words.entities(entity)) } }
        h1 { (title) }
        (trail(words, Step::File))
        @if !faults.is_empty() { (problem(words, words::IMPORT_REFUSED, faults)) }
        form.card method="post" action=(here) enctype="multipart/form-data" {
            // First: what proves the form is read before the file.
            (page::csrf(viewer))
            div.fields {
                div.field.wide {
                    label for="f-file" { (words.say(words::IMPORT_FILE)) }
                    p.hint id="h-file" { (words.say(words::IMPORT_FILE_HINT)) }
                    input id="f-file" name="file" type="file" required
                        accept=".csv,.txt,.tsv,.xlsx,.json,.jsonl,.ndjson" aria-describedby="h-file"
                        aria-invalid=[invalid];
                }
                (select(words, "format", words::IMPORT_FORMAT, &chosen.format,
                    &FORMATS.map(|(format, name)| (format.name(), words.say(name)))))
                (select(words, "delimiter", words::IMPORT_DELIMITER, &chosen.delimiter,
                    &DELIMITERS.map(|(delimiter, name)| (delimiter.name(), words.say(name)))))
                div.field {
                    label for="f-sheet" {
                        (words.say(words::IMPORT_SHEET)) " "
                        span.optional { (words.say(words::FORM_OPTIONAL)) }
                    }
                    input id="f-sheet" name="sheet" type="text" value=(chosen.sheet)
                        maxlength="100" autocomplete="off" spellcheck="false";
                }
                div.field {
                    div {
                        label.check {
                            input name="header" type="checkbox" value="true"
                                checked[chosen.header];
                            (words.say(words::IMPORT_HEADER))
                        }
                    }
                }
            }
            div.actions {
                button type="submit" { (words.say(words::IMPORT_UPLOAD)) }
                a.button.quiet href=(list) { (words.say(words::FORM_CANCEL)) }
            }
        }
        section {
            h2 { (words.say(words::IMPORT_TEMPLATE)) }
            p { (words.say(words::IMPORT_TEMPLATE_TEXT)) }
            div.actions {
                @for format in [Format::Csv, Format::Xlsx, Format::Json] {
                    a.button.quiet download
                        href=(format!("{list}/import-template?format={format}")) {
                        (format.name().to_uppercase())
                    }
                }
            }
            (fields_table(words, entity, customs, targets))
        }
    };
    page::page(viewer, Some(Place::At(entity.path)), &title, None, &body)
}

/// "Import customers".
pub(super) fn title(words: &Words, entity: &Entity) -> String {
    words.say_with(words::IMPORT_TITLE, &[("many", words.entities_within(entity).into())])
}

/// A choice that may be left to the program.
fn select(
    words: &Words,
    name: &str,
    label: Key,
    chosen: &str,
    choices: &[(&'static str, String)],
) -> Markup {
    let id = format!("f-{name}");
    html! {
        div.field {
            label for=(id) { (words.say(label)) }
            select id=(id) name=(name) {
                option value="" { (words.say(words::IMPORT_FIND_OUT)) }
                @for (value, text) in choices {
                    option value=(value) selected[*value == chosen] { (text) }
                }
            }
        }
    }
}

/// What a file may have.
fn fields_table(words: &Words, entity: &Entity, customs: &[Custom], targets: &[String]) -> Markup {
    let columns = [
        page::Column::text(words, words::IMPORT_FIELD),
        page::Column::text(words, words::IMPORT_FIELD_COLUMN),
        page::Column::text(words, words::IMPORT_FIELD_ABOUT),
    ];
    let row = |target: &String| {
        let field = entity.field(target);
        let custom = target.strip_prefix("custom.");
        let custom = custom.and_then(|key| customs.iter().find(|custom| custom.key == key));
        let required = field.is_some_and(|field| field.flags.has(Flags::REQUIRED))
            || custom.is_some_and(|custom| custom.required);
        let words_of_choice = match field.map(|field| field.kind) {
            Some(crate::entity::Kind::Choice(choices)) => Some(choices.join(", ")),
            _ => None,
        };
        let hint = field.and_then(|field| words.hint(entity, field.name));
        vec![
            html! {
                (target_name(words, entity, customs, target))
                @if required { " " span.badge { (words.say(words::IMPORT_FIELD_REQUIRED)) } }
            },
            html! { code { (target) } },
            html! {
                @match words_of_choice {
                    Some(choices) => code { (choices) },
                    None => span.dim { (hint.unwrap_or_default()) },
                }
            },
        ]
    };
    let rows: Vec<Vec<Markup>> = targets.iter().map(row).collect();
    html! {
        details.more {
            summary { (words.say(words::IMPORT_FIELDS)) }
            (page::table(&words.say(words::IMPORT_FIELDS), &columns, &rows))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::page::tests::viewer;
    use crate::domain::access::Rights;
    use crate::entity::registry::LABEL;

    static LABELS: &Entity = &LABEL;

    #[test]
    fn the_form_says_what_was_wrong_and_keeps_what_was_chosen() {
        let chosen = Chosen { delimiter: "pipe".to_owned(), header: false, ..Chosen::default() };
        let faults = ["row 2: <b> is odd".to_owned()];
        let targets = mapping::targets(&Rights::all(), LABELS, &[]);
        let text = render(&viewer(), LABELS, &[], &targets, &chosen, &faults).into_string();
        for part in [
            r#"enctype="multipart/form-data""#,
            r#"action="/labels/import""#,
            r#"<option value="pipe" selected>"#,
            "row 2: &lt;b&gt; is odd",
            "/labels/import-template?format=xlsx",
            "<code>customer, service, device</code>",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert!(!text.contains("checked"), "{text}");
        assert!(text.find("csrf") < text.find(r#"type="file""#), "the proof comes first");
        assert!(chosen.said("x".to_owned()).unwrap().delimiter == Some(Delimiter::Pipe));
        let odd = Chosen { format: "pdf".to_owned(), ..Chosen::default() };
        assert!(odd.said("x".to_owned()).is_err());
    }
}
