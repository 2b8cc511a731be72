//! `netctl billing simulate FILE`: the generator on a file of events.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use billing::simulate::play::Run;
use billing::simulate::{Misplaced, Node, Outcome, Scenario};
use jiff::tz::TimeZone;

use crate::exit::{DONE, Ended, put, put_json};
use crate::output::{Cell, Colour, Column, Style, Table, plain};

/// A file that is larger was not written by hand.
const OCTETS_MAX: u64 = 16 * 1024 * 1024;

/// What `--help` says below the arguments.
pub(crate) const HELP: &str = r#"The file is JSON:
  {"zone": "Europe/Berlin", "currency": "EUR", "tax": [{"name": "VAT", "rate": "19"}],
   "events": [{"at": "2024-03-05", "do": "start", "service": "s1", "plan": "basic",
               "price": "10.00", "period": "month"},
              {"at": "2024-03-12", "do": "change", "service": "s1", "price": "15.00"}],
   "runs": ["2024-03-05", "2024-03-12"]}

A run knows the events up to its day. docs/billing-policy.md lists every event and policy.
A mistake in the file ends with code 2 and names its place, such as /events/1/price."#;

/// Arguments of `simulate`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file; - is standard input
    file: PathBuf,

    /// Print tables with the formula of every line instead of JSON
    #[arg(long, conflicts_with = "json")]
    text: bool,

    /// Print why each line is what it is: its days, event, policy and taxes
    #[arg(long, conflicts_with = "json")]
    explain: bool,

    /// Print JSON, as it does anyway
    #[arg(long)]
    json: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum SimulateError {
    #[error("could not read {path}")]
    Read { path: String, source: io::Error },
    #[error("{path} is larger than 16 MiB")]
    TooLarge { path: String },
    #[error("{path} is not JSON")]
    Syntax { path: String, source: serde_json::Error },
    #[error(transparent)]
    Misplaced(#[from] Misplaced),
    #[error("it cannot be billed")]
    Refused(#[from] billing::Refused),
}

/// Reads the file, plays it, prints the answer.
pub(crate) fn main(args: &Args) -> Ended {
    let outcome = simulate(&args.file)?;
    if args.text || args.explain {
        put(&show(&outcome, args.explain, &Style::of_stdout()))?;
    } else {
        put_json(&outcome)?;
    }
    Ok(DONE)
}

fn simulate(file: &Path) -> Result<Outcome, SimulateError> {
    let (path, text) = read(file)?;
    let node: Node =
        serde_json::from_slice(&text).map_err(|source| SimulateError::Syntax { path, source })?;
    let scenario = Scenario::read(&node, |zone| TimeZone::get(zone).ok())?;
    Ok(scenario.play()?)
}

/// The name of the file, for messages, and what is in it.
fn read(file: &Path) -> Result<(String, Vec<u8>), SimulateError> {
    let from_stdin = file == Path::new("-");
    let path = if from_stdin { "standard input".to_owned() } else { file.display().to_string() };
    let mut text = Vec::new();
    let limit = OCTETS_MAX + 1;
    let read = if from_stdin {
        io::stdin().lock().take(limit).read_to_end(&mut text)
    } else {
        File::open(file).and_then(|file| file.take(limit).read_to_end(&mut text))
    };
    match read {
        Err(source) => Err(SimulateError::Read { path, source }),
        Ok(octets) if octets as u64 > OCTETS_MAX => Err(SimulateError::TooLarge { path }),
        Ok(_) => Ok((path, text)),
    }
}

fn show(outcome: &Outcome, explain: bool, style: &Style) -> String {
    let mut out = String::new();
    for (index, run) in outcome.runs.iter().enumerate() {
        if index > 0 {
            out.push('\n');
        }
        show_run(run, &outcome.currency, style, &mut out);
        if explain {
            show_explanations(run, style, &mut out);
        }
    }
    out
}

fn show_run(run: &Run, currency: &str, style: &Style, out: &mut String) {
    out.push_str(&style.paint(Colour::Strong, &run.date));
    out.push_str(&format!("  total {} {currency}, due {}\n", run.total, run.due));
    let mut lines = Table::new(&[
        Column::number("#"),
        Column::text("service"),
        Column::whole("kind"),
        Column::text("what"),
        Column::whole("from"),
        Column::whole("to"),
        Column::number("amount"),
        Column::number("tax"),
        Column::text("how much"),
        Column::text("formula"),
    ]);
    for item in &run.items {
        let number = item.number.to_string();
        let kind = match item.repairs {
            Some(repaired) => format!("{} of {repaired}", item.kind),
            None => item.kind.to_owned(),
        };
        lines.row([
            number.into(),
            item.service.as_deref().unwrap_or("").into(),
            kind.into(),
            plain(&item.label).into(),
            Cell::from(&item.from),
            Cell::from(&item.to),
            Cell::from(&item.amount),
            Cell::from(&item.tax),
            Cell::from(&item.quantity_note),
            Cell::coloured(Colour::Faint, &item.formula),
        ]);
    }
    if run.items.is_empty() {
        out.push_str("nothing new\n");
    } else {
        out.push_str(&lines.show(style));
    }
    let mut sums = Table::new(&[Column::whole(""), Column::number("")]);
    let zero = |amount: &str| !amount.bytes().any(|byte| (b'1'..=b'9').contains(&byte));
    for (name, amount) in [
        ("subtotal", &run.subtotal),
        ("tax", &run.tax),
        ("rounding", &run.rounding),
        ("to account credit", &run.to_credit),
        ("credit used", &run.credit_used),
        ("account credit after", &run.account_credit),
        ("outstanding after", &run.outstanding),
        ("tax due", &run.tax_due),
    ] {
        if !zero(amount) {
            sums.row([name.into(), amount.into()]);
        }
    }
    out.push_str(&sums.show(style));
}

/// Below the tables, so that they stay as narrow as they are.
fn show_explanations(run: &Run, style: &Style, out: &mut String) {
    for item in &run.items {
        let title = format!("#{} {}", item.number, plain(&item.label));
        out.push_str(&format!("\n{}\n", style.paint(Colour::Strong, &title)));
        for line in &item.explanation {
            out.push_str(&format!("  {}\n", plain(line)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_shows_each_line_with_its_formula() {
        let file = r#"{"zone": "UTC", "currency": "USD", "runs": ["2024-04-16", "2024-04-16"],
            "events": [{"at": "2024-04-16", "do": "start", "service": "s1", "plan": "basic",
                        "price": "10.01", "period": "month", "billing_day": 1}]}"#;
        let node: Node = serde_json::from_str(file).unwrap();
        let scenario = Scenario::read(&node, |zone| TimeZone::get(zone).ok()).unwrap();
        let text = show(&scenario.play().unwrap(), false, &Style::default());
        for part in [
            "2024-04-16  total 5.01 USD, due 5.01",
            "15 of 30 days",
            "10.01 × 15/30",
            "nothing new",
        ] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
    }
}
