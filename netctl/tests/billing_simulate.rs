//! `netctl billing simulate` as a user calls it.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// The example of docs/billing-policy.md.
fn example() -> String {
    let page = include_str!("../../docs/billing-policy.md");
    let start = page.find("{\"zone\"").expect("the page has an example");
    let end = start + page[start..].find("```").expect("which ends");
    page[start..end].to_owned()
}

fn simulate(arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_netctl"))
        .args(["billing", "simulate"])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("netctl starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // A call that fails over its arguments does not read.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    child.wait_with_output().expect("netctl ends")
}

#[test]
fn the_documented_example_runs_from_a_file_and_from_standard_input() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("example.json");
    std::fs::write(&path, example()).expect("it is written");
    let from_file = simulate(&[path.to_str().expect("a path")], "");
    let from_stdin = simulate(&["-"], &example());
    assert_eq!(from_file.status.code(), Some(0), "{from_file:?}");
    assert_eq!(from_file.stdout, from_stdin.stdout);
    assert!(from_file.stderr.is_empty());

    let answer: Value = serde_json::from_slice(&from_file.stdout).expect("it is JSON");
    assert_eq!(answer["currency"], "USD");
    let totals: Vec<&str> =
        answer["runs"].as_array().unwrap().iter().filter_map(|run| run["total"].as_str()).collect();
    assert_eq!(totals, ["12.00", "4.64", "0.00"]);
    let repair = &answer["runs"][1]["items"][0];
    for (field, value) in [
        ("service", "s1"),
        ("kind", "repair"),
        ("from", "2024-03-12"),
        ("to", "2024-04-05"),
        ("amount", "-7.74"),
        ("tax", "-1.55"),
        ("quantity_note", "24 of 31 days taken back"),
        ("formula", "10.00 billed − 2.26 for the 7 days that remain = 7.74 taken back"),
    ] {
        assert_eq!(repair[field], value, "{repair}");
    }
    assert_eq!(repair["repairs"], 1);
}

#[test]
fn tables_are_for_people() {
    let told = simulate(&["-", "--text"], &example());
    let text = String::from_utf8(told.stdout).expect("it is text");
    assert_eq!(told.status.code(), Some(0));
    assert!(text.contains("repair of 1") && text.contains("15.00 × 24/31 = 11.612903…"), "{text}");
}

#[test]
fn every_line_is_explained_when_asked() {
    let told = simulate(&["-", "--explain"], &example());
    let text = String::from_utf8(told.stdout).expect("it is text");
    assert_eq!(told.status.code(), Some(0));
    let lines: Vec<&str> = text.lines().collect();
    let at = lines.iter().position(|line| *line == "#2 basic").expect("a repair is explained");
    assert_eq!(
        lines[at + 1..at + 7],
        [
            "  days: 2024-03-12 to 2024-04-04, of 2024-03-05 to 2024-04-04 (month)",
            "  amount: 10.00 billed − 2.26 for the 7 days that remain = 7.74 taken back",
            "  corrects: line 1: basic, 2024-03-05 to 2024-04-04, 10.00",
            "  because of: event 2: s1 changes on 2024-03-12: plus, 15.00",
            "  policy: change_effect = immediate, proration = actual, rounding = half_up",
            "  tax: VAT 20 % on -7.74, as it was charged: -1.55",
        ],
        "{text}"
    );
    assert_eq!(simulate(&["-", "--explain", "--json"], &example()).status.code(), Some(2));
}

#[test]
fn a_mistake_is_named_by_its_place() {
    let event = |fields: &str| {
        format!(
            r#"{{"zone":"UTC","currency":"USD","runs":["2024-03-05"],
                 "events":[{{"at":"2024-03-05","do":"start","service":"s1","plan":"basic",
                 "period":"month","price":"10.00"}},{{{fields}}}]}}"#
        )
    };
    let file = |fields: &str| format!(r#"{{"zone":"UTC","currency":"USD",{fields}}}"#);
    let policy = |fields: &str| file(&format!(r#""policy":{{{fields}}},"events":[],"runs":[]"#));
    for (input, place) in [
        ("{".to_owned(), "standard input is not JSON"),
        ("[]".to_owned(), "the file: an object"),
        (file(r#""events":[],"runs":[],"runs":[]"#), "`runs` is there twice"),
        (file(r#""events":[]"#), "/runs: is missing"),
        (file(r#""events":[],"runs":[],"x/y":1"#), "/x~1y: there is no such field"),
        (file(r#""events":[],"runs":["2024-02-30"]"#), "/runs/0: a date"),
        (file(r#""events":[],"runs":["2024-03-05","2024-03-04"]"#), "/runs/1: a run must not"),
        (file(r#""events":{},"runs":[]"#), "/events: a list"),
        (r#"{"zone":"Mars/Base","currency":"USD","events":[],"runs":[]}"#.to_owned(), "/zone: "),
        (r#"{"zone":"UTC","currency":"usd","events":[],"runs":[]}"#.to_owned(), "/currency: "),
        (policy(r#""proration":"daily""#), "/policy/proration: one of actual, fixed_30, none"),
        (policy(r#""prorate":"actual""#), "/policy/prorate: there is no such field"),
        (policy(r#""change_fee":{"up":"1"}"#), "/policy/change_fee/up: "),
        (policy(r#""cash_rounding":"0.00""#), "/policy/cash_rounding: must be more than zero"),
        (policy(r#""end_day_billed":"yes""#), "/policy/end_day_billed: true or false"),
        (
            file(r#""tax":[{"name":"V","rate":20}],"events":[],"runs":[]"#),
            "/tax/0/rate: a percentage",
        ),
        (file(r#""tax":[{"name":"V","rate":"-1"}],"events":[],"runs":[]"#), "/tax/0/rate: "),
        (
            file(
                r#""tax":[{"name":"V","rate":"1"},{"name":"V","rate":"2"}],"events":[],"runs":[]"#,
            ),
            "/tax/1/name: is there twice",
        ),
        (event(r#""at":"2024-03-05","do":"stop","service":"s1""#), "/events/1/do: one of start"),
        (event(r#""do":"pause","service":"s1""#), "/events/1/at: is missing"),
        (event(r#""at":"2024-03-05T10:00:00","do":"pause","service":"s1""#), "/events/1/at: "),
        (event(r#""at":"2024-03-05","do":"pause""#), "/events/1/service: is missing"),
        (
            event(r#""at":"2024-03-05","do":"pause","service":"s9""#),
            "/events/1: s9 has not started",
        ),
        (
            event(r#""at":"2024-03-04","do":"pause","service":"s1""#),
            "/events/1: s1 has not started",
        ),
        (
            event(
                r#""at":"2024-03-09","do":"start","service":"s1","plan":"a","period":"month",
                   "price":"1.00""#,
            ),
            "/events/1: s1 has already started",
        ),
        (event(r#""at":"2024-03-05","do":"charge","amount":5"#), "/events/1/amount: an amount"),
        (event(r#""at":"2024-03-05","do":"charge","amount":"5.001""#), "/events/1/amount: "),
        (
            event(r#""at":"2024-03-05","do":"charge","amount":"-5""#),
            "/events/1/amount: must not be",
        ),
        (
            event(r#""at":"2024-03-05","do":"payment","amount":"0""#),
            "/events/1/amount: must be more",
        ),
        (event(r#""at":"2024-03-05","do":"discount""#), "/events/1/percent: is missing"),
        (
            event(r#""at":"2024-03-05","do":"discount","percent":"101""#),
            "/events/1/percent: a percentage from 0 to 100",
        ),
        (
            event(r#""at":"2024-03-05","do":"discount","percent":"5","until":"2024-03-05""#),
            "/events/1/until: must be after",
        ),
        (
            event(r#""at":"2024-03-06","do":"change","service":"s1","billing_day":32"#),
            "/events/1/billing_day: a whole number from 1 to 31",
        ),
        (
            event(
                r#""at":"2024-03-06","do":"change","service":"s1","period":"week","billing_day":3"#,
            ),
            "/events/1/billing_day: periods of days",
        ),
        (
            event(r#""at":"2024-03-06","do":"change","service":"s1","period":{"days":0}"#),
            "/events/1/period/days: a whole number from 1",
        ),
        (
            event(r#""at":"2024-03-06","do":"change","service":"s1","period":"fortnight""#),
            "/events/1/period: one of day",
        ),
        (
            event(
                r#""at":"2024-03-06","do":"change","service":"s1","period":"year",
                   "billing_month":4"#,
            ),
            "/events/1/billing_month: needs a billing_day",
        ),
        (
            event(r#""at":"2024-03-06","do":"change","service":"s1","billing_month":4"#),
            "/events/1/billing_month: every month is a billing month",
        ),
        (
            event(
                r#""at":"2024-03-06","do":"change","service":"s1","period":"week"},
                   {"at":"2024-03-07","do":"change","service":"s1","billing_day":3"#,
            ),
            "/events/2/billing_day: periods of days",
        ),
        (
            event(r#""at":"2024-03-06","do":"discount","service":"s9","percent":"5""#),
            "/events/1/service: no event starts s9",
        ),
        (
            event(r#""at":"2024-03-06","do":"pause","service":"s1","void":"2024-03-06""#),
            "/events/1/void: must be after the day the event is known from",
        ),
        (
            event(r#""at":"2024-03-06","do":"payment","amount":"5.00","void":"2024-03-07""#),
            "/events/1/void: money that was booked stays so",
        ),
    ] {
        let ended = simulate(&["-"], &input);
        let trouble = String::from_utf8(ended.stderr).expect("it is text");
        assert_eq!(ended.status.code(), Some(2), "{input}\n{trouble}");
        assert!(ended.stdout.is_empty(), "{input}");
        assert!(trouble.contains(place), "{input}\n{trouble}\nexpected {place}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let ended = simulate(&["/nowhere/at/all.json"], "");
    let trouble = String::from_utf8(ended.stderr).expect("it is text");
    assert_eq!(ended.status.code(), Some(2));
    assert!(trouble.contains("could not read /nowhere/at/all.json"), "{trouble}");
}
