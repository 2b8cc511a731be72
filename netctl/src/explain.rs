//! `netctl explain LOGIN`: what a login would get now, and why.

use model::control::{ExplainQuery, Explanation};

use crate::ask::Ask;
use crate::exit::{DONE, Ended, put, put_json};
use crate::output::{Cell, Colour, Column, Style, Table, plain};

/// Arguments of `explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The login
    login: String,

    /// As this NAS would be answered, by id or name [default: as a MikroTik]
    #[arg(long)]
    nas: Option<String>,

    /// From this MAC address [default: one it may come from]
    #[arg(long)]
    mac: Option<String>,

    /// What else the NAS says, such as "NAS-Port-Type = Ethernet"; may be repeated
    #[arg(long, value_name = "NAME = VALUE")]
    with: Vec<String>,

    #[command(flatten)]
    ask: Ask,
}

/// Asks `aaad` and prints the verdict, the steps and the reply.
pub(crate) async fn main(args: Args) -> Ended {
    let query = ExplainQuery { login: args.login, nas: args.nas, mac: args.mac, with: args.with };
    let answer: Explanation = args.ask.call("aaad", "explain", &query).await?;
    if args.ask.json {
        put_json(&answer)?;
    } else {
        put(&show(&answer, &Style::of_stdout()))?;
    }
    Ok(DONE)
}

fn show(answer: &Explanation, style: &Style) -> String {
    let reason = answer.reason.map_or_else(String::new, |reason| format!(" {reason}"));
    let verdict = match (answer.accepted, answer.garden) {
        (true, false) => style.paint(Colour::Good, "ACCEPT"),
        (true, true) => style.paint(Colour::Warning, &format!("GARDEN{reason}")),
        (false, _) => style.paint(Colour::Bad, &format!("REJECT{reason}")),
    };
    let online = match answer.sessions {
        0 => "not online".to_owned(),
        1 => "1 live session".to_owned(),
        many => format!("{many} live sessions"),
    };
    let mut out = format!("{verdict}  {}, {online}\n\nSteps\n", plain(&answer.login));
    let mut steps = Table::new(&[Column::whole(""), Column::whole(""), Column::whole("")]);
    for step in &answer.steps {
        steps.row(["".into(), Cell::from(&step.rule), Cell::from(&step.outcome)]);
    }
    out.push_str(&steps.show(style));
    if answer.attributes.is_empty() {
        return out;
    }
    out.push_str(if answer.accepted { "\nAccess-Accept\n" } else { "\nAccess-Reject\n" });
    let mut reply = Table::new(&[Column::whole(""), Column::whole(""), Column::whole("")]);
    for attribute in &answer.attributes {
        let line = format!("{} = {}", attribute.name, attribute.value);
        let from = Cell::coloured(Colour::Faint, &format!("from {}", attribute.from));
        reply.row(["".into(), line.into(), from]);
    }
    out.push_str(&reply.show(style));
    out
}

#[cfg(test)]
mod tests {
    use model::control::{ExplainAttribute, ExplainStep};
    use model::reject::RejectReason;

    use super::*;

    fn explanation() -> Explanation {
        Explanation {
            login: "alice".to_owned(),
            accepted: true,
            garden: false,
            reason: None,
            steps: vec![ExplainStep { rule: "profile".to_owned(), outcome: "Home 100".to_owned() }],
            attributes: vec![ExplainAttribute {
                name: "Mikrotik-Rate-Limit".to_owned(),
                value: "\"40M/100M\"".to_owned(),
                from: "profile".to_owned(),
            }],
            sessions: 1,
        }
    }

    #[test]
    fn the_verdict_comes_first_then_steps_then_the_reply() {
        assert_eq!(
            show(&explanation(), &Style::default()),
            "ACCEPT  alice, 1 live session\n\nSteps\n  profile  Home 100\n\nAccess-Accept\n  \
             Mikrotik-Rate-Limit = \"40M/100M\"  from profile\n"
        );
    }

    #[test]
    fn a_refusal_says_why_and_a_garden_is_neither() {
        let held = Explanation {
            accepted: false,
            reason: Some(RejectReason::HeldAdmin),
            sessions: 0,
            ..explanation()
        };
        let text = show(&held, &Style::default());
        assert!(text.starts_with("REJECT held_admin  alice, not online\n"), "{text}");
        let garden = Explanation { garden: true, ..explanation() };
        assert!(show(&garden, &Style::default()).starts_with("GARDEN  alice"));
    }
}
