//! Something to type in, by the kind of its field: plain views, so that a form is tested without
//! a database.

use maud::{Markup, html};
use model::Currency;

use super::slot::Slot;
use super::value::UNITS;
use crate::console::guard::Fields;
use crate::console::words::{self, Words};
use crate::entity::{Flags, Kind};

/// What one types into.
#[derive(Debug, Clone)]
pub(super) enum Widget {
    /// One line, of a kind of `<input>`.
    Text(&'static str),
    /// Several lines.
    Lines,
    /// Several lines of a document.
    Code,
    /// A line for each of some names.
    Map(Vec<(String, String)>),
    /// Yes or no.
    Check,
    /// One of some. `open`: what stands where nothing is chosen.
    Select { choices: Vec<(String, String)>, open: Option<String> },
    /// Any of some: a box each.
    Boxes(Vec<(String, String)>),
    /// A record, by what it is known by; `list`: where suggestions come from.
    Lookup { list: String, known: Vec<(String, String)> },
    /// A rate in Mbit/s.
    Rate,
    /// A number and a unit of time.
    Seconds,
    /// An amount and its currency.
    Money(Vec<Currency>),
    /// Never filled in beforehand.
    Secret,
    /// Drawn by the page of one kind of record: boxes, as [`Widget::Boxes`] has them.
    Own(Markup),
}

/// A field of a form.
#[derive(Debug, Clone)]
pub(super) struct Control {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) hint: Option<String>,
    pub(super) widget: Widget,
    /// The text of its value.
    pub(super) value: String,
    pub(super) required: bool,
    /// Whether to say that it may stay empty.
    pub(super) optional: bool,
    /// Longest text, characters.
    pub(super) max: Option<usize>,
    /// What is wrong with it.
    pub(super) wrong: Option<String>,
}

impl Control {
    /// A field.
    pub(super) fn new(name: impl Into<String>, label: impl Into<String>, widget: Widget) -> Self {
        Self {
            name: name.into(),
            label: label.into(),
            hint: None,
            widget,
            value: String::new(),
            required: false,
            optional: false,
            max: None,
            wrong: None,
        }
    }

    /// The control of a slot in the form of a record. A reference is looked up unless its few
    /// choices are known, words are lines unless theirs are.
    pub(super) fn of(
        words: &Words,
        slot: &Slot,
        known: Option<&[(String, String)]>,
        currencies: &[Currency],
    ) -> Self {
        let required = slot.flags.has(Flags::REQUIRED);
        let open = || Some(words.say(if required { words::FORM_CHOOSE } else { words::NONE }));
        let select = |choices: &[(String, String)]| Widget::Select {
            choices: choices.to_vec(),
            open: open(),
        };
        let (widget, hint) = match slot.kind {
            Kind::Email => (Widget::Text("email"), None),
            Kind::LongText(_) => (Widget::Lines, None),
            Kind::Integer(..) => (Widget::Text("number"), None),
            Kind::Rate(..) => (Widget::Rate, None),
            Kind::Seconds(..) => (Widget::Seconds, None),
            Kind::Flag => (Widget::Check, None),
            Kind::Time => {
                let zone = [("zone", words.zone_name().into())];
                let hint = words.say_with(words::EDIT_TIME_HINT, &zone);
                (Widget::Text("datetime-local"), Some(hint))
            }
            Kind::Date => (Widget::Text("date"), None),
            Kind::Choice(_) => (select(&slot.choices), None),
            Kind::Reference(..) => match known {
                Some(known) => (select(known), None),
                None => {
                    let hint = words.say(words::EDIT_LOOKUP);
                    (Widget::Lookup { list: String::new(), known: Vec::new() }, Some(hint))
                }
            },
            Kind::Money => (Widget::Money(currencies.to_vec()), None),
            Kind::Words(..) => match known {
                Some(known) => (Widget::Boxes(known.to_vec()), None),
                None => (Widget::Lines, Some(words.say(words::EDIT_LINES))),
            },
            Kind::Map(..) => (Widget::Map(slot.choices.clone()), None),
            Kind::Document(_) => (Widget::Code, None),
            Kind::Secret(_) => (Widget::Secret, None),
            _ => (Widget::Text("text"), None),
        };
        let max = match slot.kind {
            Kind::Text(max) | Kind::LongText(max) | Kind::Secret(max) | Kind::Map(_, max) => {
                Some(max)
            }
            _ => None,
        };
        Self {
            hint: slot.hint.clone().or(hint),
            required: required && !matches!(slot.kind, Kind::Flag | Kind::Words(..)),
            optional: !required && !matches!(slot.kind, Kind::Flag),
            max,
            ..Self::new(slot.name.clone(), slot.label.clone(), widget)
        }
    }

    /// The text that a form's fields give this slot.
    pub(super) fn gather(slot: &Slot, fields: &Fields) -> String {
        let name = &slot.name;
        // A form that only carries values along has the text as it is.
        if let Some(text) = fields.0.get(&format!("text.{name}")) {
            return text.replace("\r\n", "\n");
        }
        let own = fields.get(name);
        match slot.kind {
            // A new record may leave it to the rules; a box says no by its absence.
            Kind::Flag => {
                match (fields.0.get(name).map(String::as_str), fields.0.get(&format!("was.{name}")))
                {
                    (Some("false"), _) | (None, Some(_)) => "false".to_owned(),
                    (Some(""), _) | (None, None) => String::new(),
                    (Some(_), _) => "true".to_owned(),
                }
            }
            Kind::Seconds(..) if !own.is_empty() => {
                format!("{own} {}", fields.get(&format!("{name}.unit")))
            }
            Kind::Money if !own.is_empty() => {
                format!("{own} {}", fields.get(&format!("{name}.currency")))
            }
            Kind::Words(..) => {
                let prefix = format!("{name}:");
                let boxes = fields.0.keys().filter_map(|key| key.strip_prefix(&prefix));
                let typed = own.lines().map(str::trim).filter(|line| !line.is_empty());
                typed.chain(boxes).collect::<Vec<_>>().join("\n")
            }
            Kind::Map(names, _) => names
                .iter()
                .map(|part| (part, fields.get(&format!("{name}:{part}")).trim()))
                .filter(|(_, text)| !text.is_empty())
                .map(|(part, text)| format!("{part} = {text}"))
                .collect::<Vec<_>>()
                .join("\n"),
            Kind::Secret(_) => fields.raw(name).to_owned(),
            _ => own.replace("\r\n", "\n"),
        }
    }

    /// The id its parts hang on.
    pub(super) fn id(&self) -> String {
        format!("f-{}", self.name.replace(['[', ']', ':'], "-"))
    }

    /// Whether it takes the whole width.
    fn is_wide(&self) -> bool {
        matches!(
            self.widget,
            Widget::Lines | Widget::Code | Widget::Boxes(_) | Widget::Map(_) | Widget::Own(_)
        )
    }

    /// The field with its label, its hint, and what is wrong.
    pub(super) fn show(&self, words: &Words) -> Markup {
        let (hint_id, wrong_id) = (format!("h-{}", self.id()), format!("w-{}", self.id()));
        let described: Vec<&str> =
            [(self.wrong.is_some(), wrong_id.as_str()), (self.hint.is_some(), hint_id.as_str())]
                .into_iter()
                .filter(|(there, _)| *there)
                .map(|(_, id)| id)
                .collect();
        let described = (!described.is_empty()).then(|| described.join(" "));
        let group = matches!(self.widget, Widget::Boxes(_) | Widget::Own(_));
        let label = html! {
            (self.label)
            @if self.optional { " " span.optional { (words.say(words::FORM_OPTIONAL)) } }
        };
        if let Widget::Map(_) = self.widget {
            // Many lines, most of them for others' NAS: folded while there is nothing in them.
            let open = !self.value.is_empty() || self.wrong.is_some();
            return html! {
                details.names.wide id=(self.id()) open[open] {
                    summary { (label) }
                    @if let Some(hint) = &self.hint { p.hint id=(hint_id) { (hint) } }
                    (self.input(words, described.as_deref()))
                    @if let Some(wrong) = &self.wrong {
                        p.why id=(wrong_id) { (self.label) ": " (wrong) }
                    }
                }
            };
        }
        html! {
            div.field .wrong[self.wrong.is_some()] .wide[self.is_wide()]
                role=[group.then_some("group")] aria-label=[group.then_some(&self.label)] {
                @if group { span.label id=(self.id()) { (label) } }
                @else { label for=(self.id()) { (label) } }
                @if let Some(hint) = &self.hint { p.hint id=(hint_id) { (hint) } }
                (self.input(words, described.as_deref()))
                @if let Some(wrong) = &self.wrong { p.why id=(wrong_id) { (self.label) ": " (wrong) } }
            }
        }
    }

    fn input(&self, words: &Words, described: Option<&str>) -> Markup {
        let id = self.id();
        let invalid = self.wrong.is_some().then_some("true");
        let line = |kind: &str, mode: Option<&str>, value: &str, list: Option<&str>| {
            html! {
                input id=(id) name=(self.name) type=(kind) value=(value) required[self.required]
                    maxlength=[self.max] inputmode=[mode] list=[list] autocomplete="off"
                    autocapitalize="none" spellcheck="false" aria-invalid=[invalid]
                    aria-describedby=[described];
            }
        };
        let options = |choices: &[(String, String)], chosen: &str| {
            html! {
                @for (value, name) in choices {
                    option value=(value) selected[value == chosen] { (name) }
                }
                // What stands there and is no longer offered is not lost by opening the form.
                @if !chosen.is_empty() && !choices.iter().any(|(value, _)| value == chosen) {
                    option value=(chosen) selected { (chosen) }
                }
            }
        };
        match &self.widget {
            Widget::Text(kind) => line(kind, None, &self.value, None),
            Widget::Own(drawn) => drawn.clone(),
            Widget::Secret => html! {
                input id=(id) name=(self.name) type="password" required[self.required]
                    maxlength=[self.max] autocomplete="new-password" aria-invalid=[invalid]
                    aria-describedby=[described];
            },
            Widget::Lines | Widget::Code => html! {
                textarea id=(id) name=(self.name) rows="5" required[self.required]
                    maxlength=[self.max] spellcheck=[matches!(self.widget, Widget::Code).then_some("false")]
                    aria-invalid=[invalid] aria-describedby=[described] { "\n" (self.value) }
            },
            Widget::Check => html! {
                label.check {
                    input id=(id) name=(self.name) type="checkbox" checked[self.value == "true"]
                        aria-invalid=[invalid] aria-describedby=[described];
                    (words.say(words::EDIT_YES))
                }
            },
            Widget::Select { choices, open } => html! {
                select id=(id) name=(self.name) required[self.required] aria-invalid=[invalid]
                    aria-describedby=[described] {
                    @if let Some(open) = open { option value="" { (open) } }
                    (options(choices, &self.value))
                }
            },
            Widget::Boxes(choices) => {
                let chosen: Vec<&str> = self.value.lines().collect();
                let odd =
                    chosen.iter().filter(|word| !choices.iter().any(|(own, _)| own == **word));
                html! {
                    div.checks {
                        @for (value, name) in choices {
                            label.check {
                                input type="checkbox" name=(format!("{}:{value}", self.name))
                                    checked[chosen.contains(&value.as_str())];
                                (name)
                            }
                        }
                        @for word in odd {
                            label.check {
                                input type="checkbox" name=(format!("{}:{word}", self.name)) checked;
                                code { (word) }
                            }
                        }
                    }
                }
            }
            Widget::Map(names) => {
                let text = |name: &str| {
                    let mut own = self.value.lines().filter_map(|line| line.split_once(" = "));
                    own.find(|(known, _)| *known == name).map_or("", |(_, text)| text)
                };
                html! {
                    div.fields.map {
                        @for (name, label) in names {
                            div.field {
                                label for=(format!("{id}-{name}")) { (label) }
                                input id=(format!("{id}-{name}")) type="text"
                                    name=(format!("{}:{name}", self.name)) value=(text(name))
                                    maxlength=[self.max] autocomplete="off" autocapitalize="none"
                                    spellcheck="false" aria-invalid=[invalid];
                            }
                        }
                    }
                }
            }
            Widget::Lookup { list, known } => html! {
                (line("text", None, &self.value, Some(&format!("l-{id}"))))
                datalist id=(format!("l-{id}")) data-lookup=(list) {
                    @for (value, name) in known { option value=(value) { (name) } }
                }
            },
            Widget::Rate => html! {
                div.unit {
                    (line("text", Some("decimal"), &self.value, None))
                    span { (words.say(words::UNIT_MBIT)) }
                }
            },
            Widget::Seconds => {
                let (number, unit) = self.value.rsplit_once(' ').unwrap_or((&self.value, "s"));
                html! {
                    div.unit {
                        (line("text", Some("numeric"), number, None))
                        select name=(format!("{}.unit", self.name))
                            aria-label=(format!("{}: {}", self.label, words.say(words::EDIT_UNIT))) {
                            @for (word, _, name) in UNITS.iter().rev() {
                                option value=(word) selected[*word == unit] { (words.say(*name)) }
                            }
                        }
                    }
                }
            }
            Widget::Money(currencies) => {
                let (number, chosen) = self.value.rsplit_once(' ').unwrap_or((&self.value, ""));
                let choices: Vec<(String, String)> =
                    currencies.iter().map(|c| (c.to_string(), c.to_string())).collect();
                html! {
                    div.unit {
                        (line("text", Some("decimal"), number, None))
                        select name=(format!("{}.currency", self.name))
                            aria-label=(format!("{}: {}", self.label, words.say(words::EDIT_CURRENCY))) {
                            (options(&choices, chosen))
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(kind: Kind, flags: Flags) -> Slot {
        Slot {
            name: "x".to_owned(),
            label: "X".to_owned(),
            hint: None,
            kind,
            flags,
            choices: vec![("a".to_owned(), "Alpha".to_owned())],
            group: None,
        }
    }

    fn shown(kind: Kind, value: &str) -> String {
        let words = Words::english();
        let usd = ["USD".parse().unwrap()];
        let control = Control::of(&words, &slot(kind, Flags::WRITABLE), None, &usd);
        Control { value: value.to_owned(), ..control }.show(&words).into_string()
    }

    #[test]
    fn a_secret_is_never_filled_in_and_a_text_is_never_code() {
        assert!(!shown(Kind::Secret(9), "hunter2").contains("hunter2"));
        let text = shown(Kind::LongText(99), "</textarea><script>");
        assert!(text.contains("&lt;/textarea&gt;&lt;script&gt;"), "{text}");
    }

    #[test]
    fn what_is_no_longer_offered_stays_chosen() {
        let text = shown(Kind::Choice(&[]), "old");
        assert!(text.contains(r#"<option value="old" selected>old</option>"#), "{text}");
        let text = shown(Kind::Money, "5.00 EUR");
        assert!(
            text.contains(r#"<option value="EUR" selected>"#) && text.contains(r#"value="5.00""#)
        );
        let text = shown(Kind::Money, "a lot USD");
        assert!(text.contains(r#"value="a lot""#) && !text.contains("lot USD"), "{text}");
    }

    #[test]
    fn parts_of_a_value_are_gathered_into_its_text() {
        let fields = |pairs: &[(&str, &str)]| {
            Fields(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
        };
        let gather = |kind, pairs: &[(&str, &str)]| {
            Control::gather(&slot(kind, Flags::WRITABLE), &fields(pairs))
        };
        assert_eq!(gather(Kind::Seconds(0, 9), &[("x", "5"), ("x.unit", "m")]), "5 m");
        assert_eq!(gather(Kind::Seconds(0, 9), &[("x", ""), ("x.unit", "m")]), "");
        assert_eq!(gather(Kind::Money, &[("x", "5"), ("x.currency", "USD")]), "5 USD");
        assert_eq!(gather(Kind::Flag, &[("was.x", "true")]), "false");
        assert_eq!(gather(Kind::Flag, &[("was.x", "false"), ("x", "on")]), "true");
        assert_eq!(gather(Kind::Flag, &[("x", "false")]), "false");
        assert_eq!(gather(Kind::Flag, &[("x", "")]), "", "left to the rules");
        assert_eq!(gather(Kind::Words(9, 9), &[("x:a", "on"), ("x:b", "on")]), "a\nb");
        assert_eq!(gather(Kind::Words(9, 9), &[("x", " a \r\n\r\nb")]), "a\nb");
        let map = Kind::Map(&["a", "b"], 9);
        assert_eq!(gather(map, &[("x:b", " two "), ("x:a", ""), ("x:c", "3")]), "b = two");
        assert_eq!(gather(Kind::Money, &[("text.x", "5 USD"), ("x", "9")]), "5 USD");
    }
}
