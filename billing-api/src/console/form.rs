//! Forms: fields with their labels, what was typed, and what is wrong with it.
//!
//! A form is judged by the same rules as an API request: it becomes the request's JSON body,
//! and the faults' pointers lead back to the fields.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::guard::Fields;
use super::words::{self, Key, Words};
use crate::domain::Fault;

/// A field of a form.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input {
    /// Its name in the form.
    pub(super) name: &'static str,
    /// The JSON pointer of what it becomes, without the first slash.
    pointer: &'static str,
    label: Key,
    hint: Option<Key>,
    /// Said instead of the rule's own sentence, where the screen shows another unit.
    wrong: Option<Key>,
    kind: &'static str,
    required: bool,
    autocomplete: &'static str,
}

impl Input {
    /// A field that must be filled in.
    pub(super) const fn new(name: &'static str, label: Key) -> Self {
        Self {
            name,
            pointer: name,
            label,
            hint: None,
            wrong: None,
            kind: "text",
            required: true,
            autocomplete: "off",
        }
    }

    /// It may stay empty.
    pub(super) const fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    /// A kind of `<input>` other than text. `decimal` is a text with a number pad.
    pub(super) const fn kind(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// A sentence below the label.
    pub(super) const fn hint(self, hint: Key) -> Self {
        Self { hint: Some(hint), ..self }
    }

    /// What the browser may fill in.
    pub(super) const fn autocomplete(self, autocomplete: &'static str) -> Self {
        Self { autocomplete, ..self }
    }

    /// It becomes another field of the JSON body, in another unit.
    pub(super) const fn becomes(self, pointer: &'static str, wrong: Key) -> Self {
        Self { pointer, wrong: Some(wrong), ..self }
    }

    fn is_secret(&self) -> bool {
        self.kind == "password"
    }
}

/// A form as someone filled it in, and what is wrong with it.
#[derive(Debug, Default)]
pub(super) struct Filled {
    values: BTreeMap<&'static str, String>,
    wrong: BTreeMap<&'static str, String>,
    /// What belongs to no field.
    elsewhere: Vec<String>,
}

impl Filled {
    /// An empty form with a value to start from.
    pub(super) fn starting(values: &[(&'static str, &str)]) -> Self {
        let values = values.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        Self { values, ..Self::default() }
    }

    /// What was sent. Secrets are not sent back.
    pub(super) fn sent(inputs: &[Input], fields: &Fields) -> Self {
        let shown = inputs.iter().filter(|input| !input.is_secret());
        let values = shown.map(|input| (input.name, fields.raw(input.name).to_owned())).collect();
        Self { values, ..Self::default() }
    }

    /// Notes a field that the console itself cannot read.
    pub(super) fn cannot_read(&mut self, words: &Words, input: &Input) {
        let detail = input.wrong.map(|key| words.say(key)).unwrap_or_default();
        self.wrong.insert(input.name, about(words, input, detail));
    }

    /// Whether nothing is wrong so far.
    pub(super) fn is_right(&self) -> bool {
        self.wrong.is_empty() && self.elsewhere.is_empty()
    }

    /// Brings a fault back to the fields; one that is not about them is returned.
    pub(super) fn refused(
        mut self,
        words: &Words,
        inputs: &[Input],
        fault: Fault,
    ) -> Result<Self, Fault> {
        match fault {
            Fault::Invalid(faults) => {
                for fault in faults {
                    let pointer = fault.pointer.trim_start_matches('/');
                    // A pointer to an object, such as a price, means the field inside it.
                    let found = inputs.iter().find(|input| {
                        input.pointer == pointer
                            || input
                                .pointer
                                .strip_prefix(pointer)
                                .is_some_and(|x| x.starts_with('/'))
                    });
                    match found {
                        Some(input) => {
                            let detail = input.wrong.map_or(fault.detail, |key| words.say(key));
                            let text = about(words, input, detail);
                            self.wrong.entry(input.name).or_insert(text);
                        }
                        None => self.elsewhere.push(format!("{}: {}", fault.pointer, fault.detail)),
                    }
                }
                Ok(self)
            }
            Fault::Conflict { pointer, detail } => {
                let pointer = pointer.trim_start_matches('/');
                match inputs.iter().find(|input| input.pointer == pointer) {
                    Some(input) => {
                        self.wrong.insert(input.name, about(words, input, detail));
                    }
                    None => self.elsewhere.push(detail),
                }
                Ok(self)
            }
            other => Err(other),
        }
    }

    /// What is wrong, before the form and in its order, each with a way to its field.
    pub(super) fn problems(&self, words: &Words, inputs: &[Input]) -> Markup {
        let n = self.wrong.len() + self.elsewhere.len();
        if n == 0 {
            return html! {};
        }
        html! {
            div.notice.problem role="alert" {
                p { b { (words.say_with(words::FORM_PROBLEMS, &[("n", n.into())])) } }
                ul {
                    @for input in inputs {
                        @if let Some(text) = self.wrong.get(input.name) {
                            li { a href=(format!("#f-{}", input.name)) { (text) } }
                        }
                    }
                    @for text in &self.elsewhere { li { (text) } }
                }
            }
        }
    }

    /// A field to type into.
    pub(super) fn input(&self, words: &Words, input: &Input) -> Markup {
        let hint = input.hint.map(|key| words.say(key));
        self.input_hinted(words, input, hint.as_deref())
    }

    /// As [`Filled::input`], with a hint made for this page.
    pub(super) fn input_hinted(&self, words: &Words, input: &Input, hint: Option<&str>) -> Markup {
        let decimal = input.kind == "decimal";
        let kind = if decimal { "text" } else { input.kind };
        self.around(words, input, hint, |described| {
            html! {
                input id=(format!("f-{}", input.name)) name=(input.name) type=(kind)
                    value=[self.values.get(input.name)] required[input.required]
                    autocomplete=(input.autocomplete) inputmode=[decimal.then_some("decimal")]
                    autocapitalize="none" spellcheck="false"
                    aria-invalid=[self.wrong.contains_key(input.name).then_some("true")]
                    aria-describedby=[described];
            }
        })
    }

    /// A field for several lines.
    pub(super) fn lines(&self, words: &Words, input: &Input) -> Markup {
        let hint = input.hint.map(|key| words.say(key));
        self.around(words, input, hint.as_deref(), |described| {
            html! {
                textarea id=(format!("f-{}", input.name)) name=(input.name) rows="4"
                    required[input.required]
                    aria-invalid=[self.wrong.contains_key(input.name).then_some("true")]
                    aria-describedby=[described] {
                    // The first line break of a text area is dropped.
                    "\n" (self.values.get(input.name).map_or("", String::as_str))
                }
            }
        })
    }

    /// A field to choose in: values with their names. `open`: begins with no choice.
    pub(super) fn select(
        &self,
        words: &Words,
        input: &Input,
        choices: &[(String, String)],
        open: bool,
    ) -> Markup {
        let chosen = self.values.get(input.name).map_or("", String::as_str);
        let hint = input.hint.map(|key| words.say(key));
        self.around(words, input, hint.as_deref(), |described| {
            html! {
                select id=(format!("f-{}", input.name)) name=(input.name) required[input.required]
                    aria-invalid=[self.wrong.contains_key(input.name).then_some("true")]
                    aria-describedby=[described] {
                    @if open { option value="" { (words.say(words::FORM_CHOOSE)) } }
                    @for (value, name) in choices {
                        option value=(value) selected[value == chosen] { (name) }
                    }
                }
            }
        })
    }

    fn around(
        &self,
        words: &Words,
        input: &Input,
        hint: Option<&str>,
        control: impl FnOnce(Option<String>) -> Markup,
    ) -> Markup {
        let wrong = self.wrong.get(input.name);
        let hint_id = format!("h-{}", input.name);
        let wrong_id = format!("w-{}", input.name);
        let described: Vec<&str> = [(wrong.is_some(), &wrong_id), (hint.is_some(), &hint_id)]
            .into_iter()
            .filter(|(there, _)| *there)
            .map(|(_, id)| id.as_str())
            .collect();
        let described = (!described.is_empty()).then(|| described.join(" "));
        html! {
            div.field .wrong[wrong.is_some()] {
                label for=(format!("f-{}", input.name)) {
                    (words.say(input.label))
                    @if !input.required { " " span.optional { (words.say(words::FORM_OPTIONAL)) } }
                }
                @if let Some(hint) = hint { p.hint id=(hint_id) { (hint) } }
                (control(described))
                @if let Some(wrong) = wrong { p.why id=(wrong_id) { (wrong) } }
            }
        }
    }
}

fn about(words: &Words, input: &Input, detail: String) -> String {
    let label = words.say(input.label);
    words.say_with(words::FORM_FIELD_WRONG, &[("label", label.into()), ("detail", detail.into())])
}

/// The JSON body a form becomes; an empty field is left out, so that the rules say "is required".
#[derive(Debug, Default)]
pub(super) struct Body(Map<String, Value>);

impl Body {
    /// Adds a text field under its own name.
    pub(super) fn text(mut self, fields: &Fields, name: &str) -> Self {
        let text = fields.get(name);
        if !text.is_empty() {
            self.0.insert(name.to_owned(), text.into());
        }
        self
    }

    /// Adds a secret, spaces and all.
    pub(super) fn secret(mut self, fields: &Fields, name: &str) -> Self {
        let text = fields.raw(name);
        if !text.is_empty() {
            self.0.insert(name.to_owned(), text.into());
        }
        self
    }

    /// Adds a value, where there is one.
    pub(super) fn value(mut self, name: &str, value: Option<Value>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value);
        }
        self
    }

    /// The octets the rules read.
    pub(super) fn octets(self) -> Vec<u8> {
        Value::Object(self.0).to_string().into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::FieldFault;

    const NAME: Input = Input::new("name", words::LOGIN_EMAIL).autocomplete("name");
    const PRICE: Input = Input::new("price", words::SERVICE_SPEED)
        .kind("decimal")
        .becomes("price/amount", words::EDIT_RATE_WRONG);
    const SECRET: Input = Input::new("secret", words::LOGIN_PASSWORD).kind("password");
    const ALL: [Input; 3] = [NAME, PRICE, SECRET];

    fn sent() -> Filled {
        let values = [("name", "\"><script>"), ("price", "12,5"), ("secret", "hunter2")];
        let fields = values.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Filled::sent(&ALL, &Fields(fields))
    }

    #[test]
    fn faults_come_back_to_their_fields_and_the_input_stays() {
        let words = Words::english();
        let fault = |pointer: &str, detail: &str| FieldFault {
            pointer: pointer.to_owned(),
            detail: detail.to_owned(),
        };
        let faults = Fault::Invalid(vec![
            fault("/name", "has more than 3 characters"),
            fault("/price", "is required"),
            fault("/other", "is strange"),
        ]);
        let filled = sent().refused(&words, &ALL, faults).unwrap();
        assert!(!filled.is_right());
        let name = filled.input(&words, &NAME).into_string();
        assert!(name.contains("E-mail: has more than 3 characters."), "{name}");
        assert!(name.contains(r#"value="&quot;&gt;&lt;script&gt;""#), "{name}");
        assert!(name.contains(r#"aria-invalid="true" aria-describedby="w-name""#), "{name}");
        let price = filled.input(&words, &PRICE).into_string();
        assert!(price.contains("Download / upload: is not a rate such as 50 or 0.512."), "{price}");
        let problems = filled.problems(&words, &ALL).into_string();
        assert!(problems.contains("3 fields need another look"));
        assert!(problems.contains("/other: is strange"));
    }

    #[test]
    fn a_secret_is_never_sent_back() {
        let words = Words::english();
        let text = sent().input(&words, &SECRET).into_string();
        assert!(!text.contains("hunter2") && !text.contains("value="), "{text}");
    }

    #[test]
    fn a_conflict_is_shown_at_its_field_and_other_faults_pass() {
        let words = Words::english();
        let fault = Fault::Conflict { pointer: "/name", detail: "the name is taken".to_owned() };
        let filled = sent().refused(&words, &ALL, fault).unwrap();
        assert!(filled.input(&words, &NAME).into_string().contains("E-mail: the name is taken."));
        assert!(matches!(sent().refused(&words, &ALL, Fault::Stale), Err(Fault::Stale)));
    }

    #[test]
    fn empty_fields_are_left_out_of_the_body() {
        let fields = Fields(BTreeMap::from([
            ("name".to_owned(), "  Asha ".to_owned()),
            ("email".to_owned(), " ".to_owned()),
            ("password".to_owned(), " p ".to_owned()),
        ]));
        let body = Body::default().text(&fields, "name").text(&fields, "email");
        let body = body.secret(&fields, "password").value("port", None).octets();
        assert_eq!(body, br#"{"name":"Asha","password":" p "}"#);
    }
}
