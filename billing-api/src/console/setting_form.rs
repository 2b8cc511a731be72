//! Settings as fields of a form: what applies, whose it is, and the way back to it.

use std::collections::BTreeMap;

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::guard::Fields;
use super::words::{self, Words};
use crate::domain::Fault;
use crate::domain::setting::{Item, Kind, Setting, View};

/// A form of some settings.
pub(super) struct SettingForm<'a> {
    view: &'a View,
    keys: &'a [&'static Setting],
    typed: Option<&'a Fields>,
    wrong: BTreeMap<String, String>,
    elsewhere: Vec<String>,
}

/// The value as a form has it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The value a field means; the rules judge what cannot be read.
fn meant(kind: Kind, text: &str) -> Value {
    match kind {
        _ if text.is_empty() => Value::Null,
        Kind::Flag if text == "yes" => true.into(),
        Kind::Flag if text == "no" => false.into(),
        Kind::Integer { .. } => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
        _ => text.into(),
    }
}

impl<'a> SettingForm<'a> {
    /// What applies.
    pub(super) fn of(view: &'a View, keys: &'a [&'static Setting]) -> Self {
        Self { view, keys, typed: None, wrong: BTreeMap::new(), elsewhere: Vec::new() }
    }

    /// What was typed.
    pub(super) fn sent(self, typed: &'a Fields) -> Self {
        Self { typed: Some(typed), ..self }
    }

    fn item(&self, key: &str) -> Option<&'a Item> {
        self.view.data.iter().find(|item| item.key == key)
    }

    /// The change that a form asks for. `all`: what was left as it was becomes one's own too.
    pub(super) fn change(&self, fields: &Fields, all: bool) -> Map<String, Value> {
        let reset = fields.get("reset");
        if !reset.is_empty() {
            return Map::from_iter([(reset.to_owned(), Value::Null)]);
        }
        let mut change = Map::new();
        for setting in self.keys {
            let Some(item) = self.item(setting.key).filter(|item| item.settable) else { continue };
            if !fields.0.contains_key(setting.key) {
                continue;
            }
            // Browsers send lines with both ends (HTML, "constructing the entry list").
            let text = fields.get(setting.key).replace("\r\n", "\n");
            if all && !text.is_empty() || text != shown(&item.value) {
                change.insert(setting.key.to_owned(), meant(setting.kind, &text));
            }
        }
        change
    }

    /// Brings a fault back to the fields; one that is not about them is returned.
    pub(super) fn refused(mut self, words: &Words, fault: Fault) -> Result<Self, Fault> {
        let Fault::Invalid(faults) = fault else { return Err(fault) };
        for fault in faults {
            let key = fault.pointer.trim_start_matches('/').to_owned();
            match self.keys.iter().find(|setting| setting.key == key) {
                Some(setting) => {
                    let label = words.setting(setting.key);
                    let args = [("label", label.into()), ("detail", fault.detail.into())];
                    self.wrong.insert(key, words.say_with(words::FORM_FIELD_WRONG, &args));
                }
                None => self.elsewhere.push(format!("{}: {}", fault.pointer, fault.detail)),
            }
        }
        Ok(self)
    }

    /// What is wrong, each with a way to its field.
    pub(super) fn problems(&self, words: &Words) -> Markup {
        let n = self.wrong.len() + self.elsewhere.len();
        if n == 0 {
            return html! {};
        }
        html! {
            div.notice.problem role="alert" {
                p { b { (words.say_with(words::FORM_PROBLEMS, &[("n", n.into())])) } }
                ul {
                    @for setting in self.keys {
                        @if let Some(text) = self.wrong.get(setting.key) {
                            li { a href=(format!("#f-{}", setting.key)) { (text) } }
                        }
                    }
                    @for text in &self.elsewhere { li { (text) } }
                }
            }
        }
    }

    /// Every field. `reset`: with the way back to what is inherited.
    pub(super) fn fields(&self, words: &Words, reset: bool) -> Markup {
        html! {
            @for setting in self.keys {
                @if let Some(item) = self.item(setting.key) { (self.field(words, item, reset)) }
            }
        }
    }

    fn field(&self, words: &Words, item: &Item, reset: bool) -> Markup {
        let id = format!("f-{}", item.key);
        let typed = self.typed.filter(|fields| fields.0.contains_key(item.key));
        let value = match typed {
            Some(fields) => fields.raw(item.key).to_owned(),
            None => shown(&item.value),
        };
        let wrong = self.wrong.get(item.key);
        let (hint_id, wrong_id) = (format!("h-{}", item.key), format!("w-{}", item.key));
        let described = match wrong {
            Some(_) => format!("{wrong_id} {hint_id}"),
            None => hint_id.clone(),
        };
        let invalid = wrong.map(|_| "true");
        let choices: Vec<(String, String)> = match item.setting.kind {
            Kind::Flag => vec![
                ("yes".to_owned(), words.say(words::YES)),
                ("no".to_owned(), words.say(words::NO)),
            ],
            Kind::Choice(own) => {
                own.iter().map(|word| ((*word).to_owned(), words.setting_choice(word))).collect()
            }
            _ => Vec::new(),
        };
        html! {
            div.field .wrong[wrong.is_some()] {
                label for=(id) { (words.setting(item.key)) }
                p.hint id=(hint_id) {
                    @if let Some(hint) = words.setting_hint(item.key) { (hint) " " }
                    (self.source(words, item))
                }
                @if !item.settable {
                    p id=(id) { (value) }
                } @else if !choices.is_empty() {
                    select id=(id) name=(item.key) aria-invalid=[invalid]
                        aria-describedby=(described) {
                        @for (word, name) in &choices {
                            option value=(word) selected[*word == value] { (name) }
                        }
                    }
                } @else if matches!(item.setting.kind, Kind::Lines(_) | Kind::Networks) {
                    textarea id=(id) name=(item.key) rows="4" aria-invalid=[invalid]
                        aria-describedby=(described) { "\n" (value) }
                } @else {
                    @let number = matches!(item.setting.kind, Kind::Integer { .. });
                    input id=(id) name=(item.key) type="text" value=(value)
                        inputmode=[number.then_some("numeric")] autocomplete="off"
                        spellcheck="false" aria-invalid=[invalid] aria-describedby=(described);
                }
                @if reset && item.own && item.settable {
                    button.quiet.small type="submit" name="reset" value=(item.key) formnovalidate {
                        (words.say(words::SETTINGS_RESET))
                        span.unseen { " " (words.setting(item.key)) }
                    }
                }
                @if let Some(wrong) = wrong { p.why id=(wrong_id) { (wrong) } }
            }
        }
    }

    /// Whose value applies, and what would apply without one's own.
    fn source(&self, words: &Words, item: &Item) -> String {
        let none = || words.say(words::NONE);
        let value = |value: &Value| match value {
            Value::Null => none(),
            Value::Bool(flag) => words.say(if *flag { words::YES } else { words::NO }),
            value => shown(value),
        };
        match (&item.from_name, item.own) {
            (Some(name), _) => {
                words.say_with(words::SETTINGS_FROM, &[("name", name.clone().into())])
            }
            (None, true) => {
                let inherited = value(&item.inherited_value).replace('\n', ", ");
                words.say_with(words::SETTINGS_OWN, &[("value", inherited.into())])
            }
            (None, false) if !item.settable => words.say(words::SETTINGS_ENTITY),
            (None, false) => words.say(words::SETTINGS_DEFAULT),
        }
    }
}

#[cfg(test)]
mod tests {
    use model::OrganisationId;
    use serde_json::json;

    use super::*;
    use crate::domain::setting::registry::{PASSWORD_LENGTH, PHONE, TWO_FACTOR_REQUIRED};
    use crate::domain::setting::{Layers, show};

    const KEYS: [&Setting; 3] = [&PHONE, &PASSWORD_LENGTH, &TWO_FACTOR_REQUIRED];

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        Fields(pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn only_what_was_changed_is_asked_for() {
        let view = show(OrganisationId::generate(), &Layers::default());
        let form = SettingForm::of(&view, &KEYS);
        let same = [("contacts.phone", ""), ("security.password_length", "12")];
        assert!(form.change(&fields(&same), false).is_empty());
        assert_eq!(form.change(&fields(&same), true).len(), 1);
        let other = [
            ("contacts.phone", " 100 "),
            ("security.password_length", "many"),
            ("security.two_factor_required", "yes"),
            ("business.tax_id", "not on this form"),
        ];
        let change = Value::Object(form.change(&fields(&other), false));
        let expected = json!({"contacts.phone": "100", "security.password_length": "many",
                              "security.two_factor_required": true});
        assert_eq!(change, expected);
        let reset = fields(&[("reset", "contacts.phone"), ("contacts.phone", "7")]);
        assert_eq!(Value::Object(form.change(&reset, false)), json!({"contacts.phone": null}));
    }

    #[test]
    fn a_refused_form_shows_what_was_typed_and_why() {
        let words = Words::english();
        let view = show(OrganisationId::generate(), &Layers::default());
        let typed = fields(&[("contacts.phone", "\"><script>")]);
        let form = SettingForm::of(&view, &KEYS).sent(&typed);
        let fault = Fault::field("/contacts.phone", "is not a phone number");
        let form = form.refused(&words, fault).unwrap_or_else(|fault| panic!("{fault:?}"));
        let text = form.fields(&words, true).into_string();
        assert!(text.contains("Phone: is not a phone number."), "{text}");
        assert!(text.contains(r#"value="&quot;&gt;&lt;script&gt;""#), "{text}");
        assert!(form.problems(&words).into_string().contains("#f-contacts.phone"));
    }
}
