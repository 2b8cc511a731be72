//! Every worked case, from one table.
//!
//! `worked_cases.json` names each case, says why, gives the input as `netctl billing simulate`
//! takes it, and what each run answers: its items as `SERVICE KIND FROM/TO AMOUNT [TAX]`, all of
//! them and in order, and totals where the case is about them. Sections 2.7, 2.4, 2.2 and 4 are
//! those of the survey of other systems the cases were collected in: Kill Bill's and Lago's test
//! suites, Splynx's manual, Stripe's documentation. Its cases about blocking (H66, H67) and numbers
//! (H76) are not about amounts and have their tests elsewhere.

use billing::Refused;
use billing::exact::TooLarge;
use billing::simulate::{Node, Outcome, Scenario};
use jiff::tz::TimeZone;
use serde_json::Value;

fn table() -> Vec<Value> {
    serde_json::from_str(include_str!("worked_cases.json")).expect("the table is JSON")
}

/// A line as the table writes it.
fn short(item: &Value) -> String {
    let text = |name: &str| item[name].as_str().unwrap_or("-").to_owned();
    let [service, kind, from, to, amount, tax] =
        ["service", "kind", "from", "to", "amount", "tax"].map(text);
    let mut line = format!("{service} {kind} {from}/{to} {amount}");
    if tax.bytes().any(|byte| (b'1'..=b'9').contains(&byte)) {
        let sign = if tax.starts_with('-') { "" } else { "+" };
        line.push_str(&format!(" {sign}{tax}"));
    }
    line
}

/// A tax of a document as the table writes it.
fn short_tax(tax: &Value) -> String {
    ["name", "rate", "base", "amount"].map(|name| tax[name].as_str().unwrap_or("-")).join(" ")
}

/// What differs between a run and what the table expects of it.
fn differences(run: &Value, expected: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (field, wanted) in expected.as_object().expect("an object") {
        let list = |shown: fn(&Value) -> String| {
            Value::from(run[field].as_array().unwrap().iter().map(shown).collect::<Vec<_>>())
        };
        let got = match field.as_str() {
            "items" => list(short),
            "taxes" => list(short_tax),
            _ => run[field].clone(),
        };
        if got != *wanted {
            found.push(format!("{} {field}: {got}\n  expected {wanted}", run["date"]));
        }
    }
    found
}

#[test]
fn every_worked_case_comes_out_as_the_table_says() {
    let mut wrong = Vec::new();
    for case in table() {
        let node: Node = serde_json::from_value(case["input"].clone()).expect("a tree");
        let name = case["case"].as_str().expect("a name");
        let scenario = Scenario::read(&node, |zone| TimeZone::get(zone).ok());
        let outcome = scenario.unwrap_or_else(|error| panic!("{name}: {error}")).play();
        let outcome = outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
        let runs = serde_json::to_value(&outcome.runs).expect("it is JSON");
        let (runs, expected) = (runs.as_array().unwrap(), case["runs"].as_array().unwrap());
        assert_eq!(runs.len(), expected.len(), "{name}");
        for (run, expected) in runs.iter().zip(expected) {
            wrong.extend(differences(run, expected).iter().map(|text| format!("{name}: {text}")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_line_says_how_it_came_about_and_repairs_say_of_what_and_why() {
    for case in table() {
        let node: Node = serde_json::from_value(case["input"].clone()).expect("a tree");
        let scenario = Scenario::read(&node, |zone| TimeZone::get(zone).ok()).expect("it is read");
        for line in scenario.play().expect("it is played").runs.iter().flat_map(|run| &run.items) {
            let event = line.event.and_then(|event| scenario.events.get(event as usize - 1));
            assert!(event.is_some(), "{}: {line:?} names no event", case["case"]);
            assert!(!line.quantity_note.is_empty(), "{}: {line:?}", case["case"]);
            assert!(line.formula.contains(|c: char| c.is_ascii_digit()), "{line:?}");
            assert_eq!(line.kind == "repair", line.repairs.is_some(), "{line:?}");
        }
    }
}

/// A file as it is read and played.
fn play(file: &str) -> Result<Outcome, Refused> {
    let node: Node = serde_json::from_str(file).expect("it is JSON");
    Scenario::read(&node, |zone| TimeZone::get(zone).ok()).expect("it is read").play()
}

/// The explanation of a line, by its number.
fn explanation(file: &str, number: u64) -> Vec<String> {
    let played = play(file).expect("it is played");
    let mut lines = played.runs.into_iter().flat_map(|run| run.items);
    lines.find(|line| line.number == number).expect("there is such a line").explanation
}

#[test]
fn a_line_says_what_made_it_what_it_is() {
    let start = r#"{"at": "2024-04-01", "do": "start", "service": "s1", "plan": "basic",
                    "price": "30.00", "period": "month"}"#;
    let file = |events: &str| {
        format!(
            r#"{{"zone": "UTC", "currency": "EUR", "policy": {{"change_fee": "5.00"}},
                 "tax": [{{"name": "VAT", "rate": "19"}}], "events": [{start}, {events}],
                 "runs": ["2024-04-01", "2024-04-16"]}}"#
        )
    };
    let cancel = file(r#"{"at": "2024-04-16", "do": "cancel", "service": "s1"}"#);
    assert_eq!(
        explanation(&cancel, 1),
        [
            "days: 2024-04-01 to 2024-04-30, of 2024-04-01 to 2024-04-30 (month)",
            "amount: 30.00 for the whole period",
            "because of: event 1: s1 starts on 2024-04-01: basic, 30.00 a month, in advance",
            "policy: rounding = half_up, tax_rounding = line, prices_include_tax = false",
            "tax: VAT 19 % on 30.00, of the customer: 5.70",
        ]
    );
    assert_eq!(
        explanation(&cancel, 2),
        [
            "days: 2024-04-16 to 2024-04-30, of 2024-04-01 to 2024-04-30 (month)",
            "amount: 30.00 billed − 15.00 for the 15 days that remain = 15.00 taken back",
            "corrects: line 1: basic, 2024-04-01 to 2024-04-30, 30.00",
            "because of: event 2: s1 is cancelled on 2024-04-16",
            "policy: end_day_billed = false, credit_unused = true, proration = actual, \
             rounding = half_up",
            "tax: VAT 19 % on -15.00, as it was charged: -2.85",
        ]
    );
    let change =
        file(r#"{"at": "2024-04-16", "do": "change", "service": "s1", "plan": "plus", "tax": []}"#);
    assert_eq!(
        explanation(&change, 4),
        [
            "amount: 5.00 for a change, by policy",
            "because of: event 2: s1 changes on 2024-04-16: plus, no tax",
            "policy: change_fee = 5.00",
        ]
    );
    let coupon = file(
        r#"{"at": "2024-04-01", "do": "discount", "percent": "10", "once": true, "text": "Hello"}"#,
    );
    assert_eq!(
        explanation(&coupon, 2)[1..3],
        [
            "amount: 3.00 × 30.00/30.00 of this document's charges → 3.00",
            "comes off: line 1: basic, 2024-04-01 to 2024-04-30, 30.00",
        ]
    );
    assert_eq!(
        explanation(&coupon, 2)[3],
        "because of: event 2: a coupon for the account from 2024-04-01: 10 % off, Hello"
    );
}

#[test]
fn what_fits_no_amount_is_refused() {
    // 29 years at the largest price, with taxes of 146 times it.
    let tax =
        |name, compound| format!(r#"{{"name": "{name}", "rate": "1000", "compound": {compound}}}"#);
    let taxes = [tax("A", false), tax("B", true), tax("C", true), tax("D", true)].join(",");
    let file = format!(
        r#"{{"zone": "UTC", "currency": "USD", "tax": [{taxes}], "runs": ["1999-01-01"],
            "events": [{{"at": "1970-01-01", "do": "start", "service": "s1", "plan": "a",
                         "price": "100000000000.00", "period": "month"}}]}}"#
    );
    assert_eq!(play(&file), Err(Refused::TooLarge(TooLarge)));
}

#[test]
fn many_charges_are_billed_once_in_many_runs() {
    let charge = r#"{"at": "2024-03-01", "do": "charge", "amount": "1.00"}"#;
    let charges = vec![charge; 2_000].join(",");
    let runs = vec![r#""2024-03-01""#; 50].join(",");
    let file =
        format!(r#"{{"zone": "UTC", "currency": "USD", "events": [{charges}], "runs": [{runs}]}}"#);
    let played = play(&file).expect("it is played");
    assert_eq!(played.runs[0].total, "2000.00");
    assert!(played.runs[1..].iter().all(|run| run.items.is_empty()));
}

#[test]
fn an_object_of_many_keys_is_read_and_a_repeated_key_is_named() {
    let fields: Vec<String> = (0..200_000).map(|number| format!(r#""k{number}":1"#)).collect();
    let file = format!("{{{}}}", fields.join(","));
    let node: Node = serde_json::from_str(&file).expect("it is JSON");
    let event = Node::Table(vec![
        ("zone".to_owned(), Node::Text("UTC".to_owned())),
        ("currency".to_owned(), Node::Text("USD".to_owned())),
        ("events".to_owned(), Node::List(vec![node])),
        ("runs".to_owned(), Node::List(vec![])),
    ]);
    let refused = Scenario::read(&event, |zone| TimeZone::get(zone).ok()).map(|_| ());
    assert_eq!(refused.unwrap_err().to_string(), "/events/0/do: is missing");
    let twice = format!("{{{},\"k7\":2}}", fields.join(","));
    let refused = serde_json::from_str::<Node>(&twice).unwrap_err();
    assert!(refused.to_string().starts_with("`k7` is there twice"), "{refused}");
}

#[test]
fn the_table_is_about_something() {
    let table = table();
    let names: std::collections::BTreeSet<&str> =
        table.iter().filter_map(|case| case["case"].as_str()).collect();
    assert_eq!(names.len(), table.len(), "names are unique");
    for number in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 18, 28, 30, 36, 41, 45, 46, 47, 51, 58]
        .into_iter()
        .chain([63, 64, 72, 73, 75])
    {
        let id = format!("2.7 H{number}");
        assert!(
            names.iter().any(|name| *name == id || name.starts_with(&format!("{id} "))),
            "{id}"
        );
    }
    for case in &table {
        let runs = case["runs"].as_array().unwrap();
        assert!(runs.iter().all(|run| run["items"].is_array()), "{}", case["case"]);
    }
}
