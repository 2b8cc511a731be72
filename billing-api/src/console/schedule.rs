//! A job's schedule as a form: how often, and then what that needs, composed to a line of cron.
//!
//! The form is plain: every part is a field of its own named `FIELD.PART`, and the style sheet
//! hides those that what is chosen does not need. A line that no choice can say is a line by hand.

use std::collections::BTreeMap;

use maud::{Markup, html};
use model::Ts;

use super::guard::Fields;
use super::page::Viewer;
use super::show;
use super::words::{self, Key, Words};
use crate::domain::setting::registry::ZONE;
use crate::jobs::schedule::{self, Description, Schedule};

/// Times that are shown ahead.
const AHEAD: usize = 5;
/// Minutes between runs that are offered: those that divide an hour evenly.
const STEPS: [u16; 7] = [1, 2, 5, 10, 15, 20, 30];
/// When a new schedule runs: at night, and not at the full hour, where everybody's does.
const USUAL_TIME: &str = "03:15";

/// How often, and what it is called. The first is offered where a schedule may be absent.
const OFTEN: [(&str, Key); 7] = [
    ("never", words::WHEN_NEVER),
    ("minutes", words::WHEN_MINUTES),
    ("hour", words::WHEN_HOUR),
    ("day", words::WHEN_DAY),
    ("week", words::WHEN_WEEK),
    ("month", words::WHEN_MONTH),
    ("line", words::WHEN_LINE),
];

/// Days of the week as cron counts them, from Monday.
const DAYS: [(u16, Key); 7] = [
    (1, words::DAY_MONDAY),
    (2, words::DAY_TUESDAY),
    (3, words::DAY_WEDNESDAY),
    (4, words::DAY_THURSDAY),
    (5, words::DAY_FRIDAY),
    (6, words::DAY_SATURDAY),
    (0, words::DAY_SUNDAY),
];

/// Months as cron counts them.
const MONTHS: [Key; 12] = [
    words::MONTH_1,
    words::MONTH_2,
    words::MONTH_3,
    words::MONTH_4,
    words::MONTH_5,
    words::MONTH_6,
    words::MONTH_7,
    words::MONTH_8,
    words::MONTH_9,
    words::MONTH_10,
    words::MONTH_11,
    words::MONTH_12,
];

/// The parts of a schedule as the form has them: texts under `often`, `step`, `minute`, `at`,
/// `weekday:N`, `day` and `line`.
pub(super) type Parts = BTreeMap<String, String>;

/// The parts that a form sent of a field; nothing where it has none.
pub(super) fn sent(field: &str, fields: &Fields) -> Option<Parts> {
    let prefix = format!("{field}.");
    let own = fields.0.iter().filter_map(|(name, text)| {
        Some((name.strip_prefix(&prefix)?.to_owned(), text.trim().to_owned()))
    });
    let parts: Parts = own.collect();
    parts.contains_key("often").then_some(parts)
}

/// A line of cron in parts.
pub(super) fn apart(line: &str) -> Parts {
    let part = |name: &str, text: String| (name.to_owned(), text);
    let mut parts = Parts::from([part("line", line.to_owned())]);
    let told = schedule::describe(line).ok();
    let time = |told: &Description| told.time.clone().unwrap_or_default();
    let often = match told {
        None if line.is_empty() => "never",
        Some(told) => match (told.key, told.number, told.days.as_slice()) {
            ("every-minute", ..) => {
                parts.extend([part("step", "1".to_owned())]);
                "minutes"
            }
            ("every-minutes", Some(step), _) if STEPS.contains(&step) => {
                parts.extend([part("step", step.to_string())]);
                "minutes"
            }
            ("hourly", Some(minute), _) => {
                parts.extend([part("minute", minute.to_string())]);
                "hour"
            }
            ("daily", ..) => {
                parts.extend([part("at", time(&told))]);
                "day"
            }
            ("weekly", ..) => {
                parts.extend([part("at", time(&told))]);
                let days = told.weekdays.iter();
                parts.extend(days.map(|day| part(&format!("weekday:{day}"), "on".to_owned())));
                "week"
            }
            ("monthly", _, [day]) => {
                parts.extend([part("at", time(&told)), part("day", day.to_string())]);
                "month"
            }
            _ => "line",
        },
        None => "line",
    };
    parts.extend([part("often", often.to_owned())]);
    parts
}

/// The line of cron that parts say, or what is wrong with them. `was`: the line that stood
/// there, which stays where the parts say the same in other words.
pub(super) fn compose(words: &Words, parts: &Parts, was: &str) -> Result<String, String> {
    let part = |name: &str| parts.get(name).map_or("", String::as_str);
    let number = |name: &str, to: u16| {
        part(name).parse::<u16>().ok().filter(|n| *n <= to).ok_or(words.say(words::WHEN_NUMBER))
    };
    let at = || {
        let read = part("at").split_once(':').and_then(|(hour, minute)| {
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour < 24 && minute < 60).then(|| format!("{minute} {hour}"))
        });
        read.ok_or(words.say(words::WHEN_NO_TIME))
    };
    let line = match part("often") {
        "never" => String::new(),
        "minutes" => match number("step", 59)? {
            1 => "* * * * *".to_owned(),
            step => format!("*/{step} * * * *"),
        },
        "hour" => format!("{} * * * *", number("minute", 59)?),
        "day" => format!("{} * * *", at()?),
        "week" => {
            let days = (0..7).filter(|day| parts.contains_key(&format!("weekday:{day}")));
            let days: Vec<String> = days.map(|day: u16| day.to_string()).collect();
            if days.is_empty() {
                return Err(words.say(words::WHEN_NO_DAY));
            }
            format!("{} * * {}", at()?, days.join(","))
        }
        "month" => format!("{} {} * *", at()?, number("day", 31)?),
        _ => part("line").to_owned(),
    };
    // The same in other words is no change.
    let said = |line: &str| schedule::describe(line).ok().filter(|told| told.key != "other");
    let same = part("often") != "line" && said(was).is_some() && said(was) == said(&line);
    Ok(if same { was.to_owned() } else { line })
}

/// The form of a schedule. `optional`: whether there may be none.
pub(super) fn form(words: &Words, field: &str, parts: &Parts, optional: bool) -> Markup {
    let part = |name: &str| parts.get(name).map_or("", String::as_str);
    let name = |part: &str| format!("{field}.{part}");
    let often = part("often");
    // A choice of numbers: what stands there, and what is usual where nothing does.
    let numbers = |of: &'static str, label: Key, all: &[u16], usual: u16| {
        let chosen = part(of).parse().unwrap_or(usual);
        html! {
            label class=(format!("part when-{of}")) {
                span { (words.say(label)) }
                select name=(name(of)) {
                    @for n in all { option value=(n) selected[*n == chosen] { (n) } }
                }
            }
        }
    };
    let minutes: Vec<u16> = (0..60).collect();
    let days: Vec<u16> = (1..=31).collect();
    // A time that was left empty stays so, beside what is said about it.
    let timed = ["day", "week", "month"].contains(&often);
    let id = format!("line-{field}");
    let time = if part("at").is_empty() && !timed { USUAL_TIME } else { part("at") };
    html! {
        div.when {
            div.often {
                @for (value, label) in OFTEN.iter().skip(usize::from(!optional)) {
                    label.check {
                        input type="radio" name=(name("often")) value=(value) checked[*value == often];
                        (words.say(*label))
                    }
                }
            }
            (numbers("step", words::WHEN_STEP, &STEPS, 15))
            (numbers("minute", words::WHEN_AT_MINUTE, &minutes, 0))
            (numbers("day", words::WHEN_DAY_OF_MONTH, &days, 1))
            fieldset.part.when-weekday {
                legend { (words.say(words::WHEN_WEEKDAYS)) }
                @for (day, label) in DAYS {
                    label.check {
                        input type="checkbox" name=(name(&format!("weekday:{day}")))
                            checked[parts.contains_key(&format!("weekday:{day}"))];
                        (words.say(label))
                    }
                }
            }
            label.part.when-at {
                span { (words.say(words::WHEN_AT)) }
                input type="time" name=(name("at")) value=(time);
            }
            div.part.when-line {
                label for=(id) { (words.say(words::WHEN_CRON)) }
                input.code id=(id) type="text" name=(name("line")) value=(part("line"))
                    maxlength="100" autocomplete="off" autocapitalize="none" spellcheck="false"
                    aria-describedby=(format!("{id}-about"));
                p.dim id=(format!("{id}-about")) { (words.say(words::WHEN_CRON_TEXT)) }
            }
            p.dim.when-short { (words.say(words::WHEN_SHORT_MONTHS)) }
        }
    }
}

/// A schedule in words: `Every day at 03:15`.
pub(super) fn say(words: &Words, line: &str) -> String {
    let Ok(told) = schedule::describe(line) else { return line.to_owned() };
    let listed = |names: Vec<String>| names.join(", ");
    let time = told.time.clone().unwrap_or_default();
    let number = told.number.unwrap_or_default();
    let weekdays = DAYS.iter().filter(|(day, _)| told.weekdays.contains(day));
    let weekdays = listed(weekdays.map(|(_, name)| words.say(*name)).collect());
    let days = listed(told.days.iter().map(u16::to_string).collect());
    let months = told.months.iter().filter_map(|month| MONTHS.get(usize::from(*month) - 1));
    let months = listed(months.map(|name| words.say(*name)).collect());
    match told.key {
        "every-minute" => words.say(words::SAID_MINUTE),
        "every-minutes" => words.say_with(words::SAID_MINUTES, &[("n", number.into())]),
        "hourly" => words.say_with(words::SAID_HOUR, &[("minute", number.to_string().into())]),
        "every-hours" => words.say_with(words::SAID_HOURS, &[("n", number.into())]),
        "daily" => words.say_with(words::SAID_DAY, &[("time", time.into())]),
        "weekly" => {
            words.say_with(words::SAID_WEEK, &[("days", weekdays.into()), ("time", time.into())])
        }
        "monthly" => {
            words.say_with(words::SAID_MONTH, &[("days", days.into()), ("time", time.into())])
        }
        "yearly" => {
            let told = [("days", days.into()), ("months", months.into()), ("time", time.into())];
            words.say_with(words::SAID_YEAR, &told)
        }
        _ => words.say_with(words::SAID_LINE, &[("line", line.to_owned().into())]),
    }
}

/// What a schedule means: in words, and its next times. Nothing where it is none. `zone`: its
/// own; empty: the organisation's.
pub(super) fn meaning(viewer: &Viewer, now: Ts, line: &str, zone: &str) -> Markup {
    let words = &viewer.words;
    let zone = match zone {
        "" => viewer.settings.text(&ZONE),
        zone => zone.to_owned(),
    };
    let Ok(schedule) = Schedule::parse(line, &zone) else { return html! {} };
    let calendar = words.calendar().clone().in_zone(&zone);
    let there = words.clone().by(calendar);
    let next = std::iter::successors(schedule.next(now), |at| schedule.next(*at));
    html! {
        div.meaning {
            p { b { (say(words, line)) } }
            p.dim { (words.say_with(words::WHEN_NEXT, &[("zone", zone.into())])) }
            ol {
                @for at in next.take(AHEAD) {
                    li { (show::weekday(&there, at)) " " (show::time(&there, at)) }
                }
            }
        }
    }
}

/// The name of a day of the week.
pub(super) fn weekday(words: &Words, day: u16) -> String {
    let name = DAYS.iter().find(|(own, _)| *own == day);
    name.map(|(_, key)| words.say(*key)).unwrap_or_default()
}

/// The button that shows what a form's schedule means, and saves nothing.
pub(super) fn preview(words: &Words) -> Markup {
    html! {
        button.quiet type="submit" name=(PREVIEW) value="1" formnovalidate {
            (words.say(words::WHEN_PREVIEW))
        }
    }
}

/// The name of that button.
pub(super) const PREVIEW: &str = "preview";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::page::tests::viewer;
    use crate::jobs::schedule::DESCRIPTIONS;

    fn composed(parts: &[(&str, &str)], was: &str) -> Result<String, String> {
        let parts = parts.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        compose(&Words::english(), &parts, was)
    }

    #[test]
    fn what_is_chosen_becomes_a_line_of_cron() {
        for (parts, line) in [
            (&[("often", "never"), ("line", "0 3 * * *")][..], ""),
            (&[("often", "minutes"), ("step", "1")], "* * * * *"),
            (&[("often", "minutes"), ("step", "15"), ("at", "")], "*/15 * * * *"),
            (&[("often", "hour"), ("minute", "5")], "5 * * * *"),
            (&[("often", "day"), ("at", "03:05")], "5 3 * * *"),
            (
                &[("often", "week"), ("at", "18:30"), ("weekday:0", "on"), ("weekday:5", "on")],
                "30 18 * * 0,5",
            ),
            (&[("often", "month"), ("at", "00:00"), ("day", "31")], "0 0 31 * *"),
            (&[("often", "line"), ("line", "0 9 * * 1#2")], "0 9 * * 1#2"),
        ] {
            assert_eq!(composed(parts, ""), Ok(line.to_owned()), "{parts:?}");
            // And opens as what it was.
            let often = apart(line)["often"].clone();
            assert_eq!(often, parts[0].1, "{line}");
            assert_eq!(compose(&Words::english(), &apart(line), line).as_deref(), Ok(line));
        }
        for (parts, wrong) in [
            (&[("often", "day"), ("at", "")][..], "time of day"),
            (&[("often", "day"), ("at", "25:00")], "time of day"),
            (&[("often", "week"), ("at", "03:00")], "day of the week"),
            (&[("often", "month"), ("at", "03:00"), ("day", "x")], "number"),
            (&[("often", "hour"), ("minute", "60")], "number"),
        ] {
            let told = composed(parts, "").unwrap_err();
            assert!(told.contains(wrong), "{parts:?}: {told}");
        }
    }

    #[test]
    fn a_line_that_no_choice_can_say_is_a_line_by_hand() {
        for line in [
            "0 9 * * 1#2",
            "0 9 L * *",
            "0 9 1,15 * *",
            "0 */6 * * *",
            "*/7 * * * *",
            "0 0 1 1 *",
            "0 9 1 * 1",
            "not cron",
        ] {
            assert_eq!(apart(line)["often"], "line", "{line}");
            assert_eq!(compose(&Words::english(), &apart(line), line).as_deref(), Ok(line));
        }
    }

    #[test]
    fn the_same_in_other_words_is_no_change() {
        for line in ["0 3 * * MON-FRI", "@daily", "00 03 * * *", "0,15,30,45 * * * *"] {
            assert_ne!(apart(line)["often"], "line", "{line}");
            assert_eq!(compose(&Words::english(), &apart(line), line).as_deref(), Ok(line));
        }
        let week = [("often", "week"), ("at", "03:00"), ("weekday:1", "on")];
        assert_eq!(composed(&week, "0 3 * * MON-FRI").as_deref(), Ok("0 3 * * 1"));
        // By hand it is written as somebody wants it.
        let hand = [("often", "line"), ("line", "0 3 * * 1-5")];
        assert_eq!(composed(&hand, "0 3 * * MON-FRI").as_deref(), Ok("0 3 * * 1-5"));
    }

    #[test]
    fn every_description_has_its_words() {
        let words = Words::english();
        let told: Vec<(&str, String)> = [
            "* * * * *",
            "*/5 * * * *",
            "7 * * * *",
            "0 */6 * * *",
            "15 3 * * *",
            "0 6 * * 1,5",
            "0 6 1,15 * *",
            "0 6 1 1,7 *",
            "0 6 * * 1#2",
        ]
        .iter()
        .map(|line| (schedule::describe(line).unwrap().key, say(&words, line)))
        .collect();
        let keys: Vec<&str> = told.iter().map(|(key, _)| *key).collect();
        assert_eq!(keys, DESCRIPTIONS);
        let texts: Vec<&str> = told.iter().map(|(_, text)| text.as_str()).collect();
        assert_eq!(
            texts,
            [
                "Every minute",
                "Every 5 minutes",
                "Every hour, at minute 7",
                "Every 6 hours",
                "Every day at 03:15",
                "Monday, Friday at 06:00",
                "Every month on day 1, 15 at 06:00",
                "Every year on day 1 of January, July at 06:00",
                "By the line 0 6 * * 1#2",
            ]
        );
    }

    #[test]
    fn the_next_times_are_told_where_the_schedule_runs() {
        let now = "2026-03-28T12:00:00Z".parse().unwrap();
        let text = meaning(&viewer(), now, "30 2 * * *", "Europe/Berlin").into_string();
        // The clock goes forward on the 29th: 02:30 does not exist there.
        for part in ["Every day at 02:30", "Europe/Berlin", "Sunday", "03:00", "Thursday"] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        assert_eq!(text.matches("<li>").count(), AHEAD);
        assert_eq!(meaning(&viewer(), now, "0 3 30 2 *", "UTC").into_string(), "");
        assert_eq!(meaning(&viewer(), now, "", "").into_string(), "");
    }

    #[test]
    fn a_form_shows_the_parts_and_nothing_of_them_is_code() {
        let words = Words::english();
        let text = form(&words, "schedule", &apart("0 6 * * 1,5"), true).into_string();
        for part in [
            r#"name="schedule.often" value="week" checked"#,
            r#"name="schedule.weekday:5" checked"#,
            r#"name="schedule.at" value="06:00""#,
            r#"value="never""#,
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
        let text = form(&words, "schedule", &apart("\"><script>"), false).into_string();
        assert!(!text.contains("<script>") && !text.contains(r#"value="never""#), "{text}");
    }
}
