//! `netctl radius compare`: the same requests to two servers, and what their answers differ in.
//!
//! - `requests`: what is asked, from a list or a `capture`.
//! - `exchange`: asking a server.
//! - `answer`: what it says, and comparing.

mod answer;
mod capture;
mod exchange;
mod requests;

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use radius_wire::ClientKey;
use serde_json::{Value, json};
use tokio::time::MissedTickBehavior;

use super::resolve;
use crate::exit::{DONE, Ended, NO, NO_ANSWER, put, put_json};
use crate::output::{Colour, Style, plain};

use answer::{Care, Difference, compare};
use exchange::{Heard, Server};
use requests::{Chance, Request};

/// What `--help` says below the arguments.
pub(crate) const HELP: &str = "\
A list of requests is in radclient's format, with passwords in clear:
  User-Name = \"alice\", User-Password = \"secret\"
  NAS-Port = 3

An empty line ends a request. CHAP-Password and MS-CHAP-Password take the password in clear, too,
and so does MS-CHAP2-Password, which radclient does not know. A capture is a file of tcpdump or
Wireshark; its Access-Requests are sent again under the servers' secrets. Accounting is never
replayed: it would make sessions that nobody has.

Message-Authenticator, Class, State and Proxy-State do not count unless --all is given, nor does
the order of attributes unless --order is. The keys of MPPE are compared in clear and not shown.

Exit codes:
  0  every answer is the same
  1  answers differ, or only one server answered
  2  could not be done: arguments, a file that does not read
  3  some requests were answered by neither server, and no answers differ";

/// Answers that differ which are shown; JSON has all of them.
const SHOWN: usize = 50;

/// Attributes that are another in each answer, or only say how it is signed.
const PASSING: [&str; 4] = ["message-authenticator", "class", "state", "proxy-state"];

/// Arguments of `radius compare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The one server
    #[arg(long, value_name = "HOST:PORT")]
    left: String,

    /// The other server
    #[arg(long, value_name = "HOST:PORT")]
    right: String,

    /// The secret shared with both
    #[arg(long, value_name = "S", env = "LASTMILE_SECRET", hide_env_values = true)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    secret: String,

    /// The secret shared with the other server, where it is not the same
    #[arg(long, value_name = "S")]
    right_secret: Option<String>,

    /// A list of requests
    #[arg(long, value_name = "FILE", required_unless_present = "pcap", conflicts_with = "pcap")]
    requests: Option<PathBuf>,

    /// A capture of requests
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,

    /// The secret the capture's requests were made with [default: that of --secret]
    #[arg(long, value_name = "S", requires = "pcap")]
    capture_secret: Option<String>,

    /// The port the capture's requests went to; may be repeated
    #[arg(long = "port", value_name = "PORT", requires = "pcap")]
    #[arg(default_values_t = [1812, 1645])]
    ports: Vec<u16>,

    /// An attribute that does not count; may be repeated
    #[arg(long = "ignore", value_name = "NAME")]
    ignored: Vec<String>,

    /// A number that may differ by so many percent; may be repeated
    #[arg(long = "near", value_name = "NAME=PERCENT", value_parser = near)]
    near: Vec<(String, f64)>,

    /// Every attribute counts
    #[arg(long)]
    all: bool,

    /// The order of attributes counts
    #[arg(long)]
    order: bool,

    /// Requests a second, to each server
    #[arg(long, value_name = "N", default_value_t = 50)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,

    /// Time for an answer to each try
    #[arg(long, value_name = "MS", default_value_t = 3000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout_ms: u64,

    /// Times to send a request at most
    #[arg(long, value_name = "N", default_value_t = 2)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    tries: u32,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn near(text: &str) -> Result<(String, f64), &'static str> {
    let (name, percent) = text.split_once('=').ok_or("is not NAME=PERCENT")?;
    let percent: f64 = percent.trim_end_matches('%').parse().map_err(|_| "wants a number")?;
    if !(0.0..=100.0).contains(&percent) {
        return Err("wants 0 to 100 percent");
    }
    Ok((name.to_owned(), percent))
}

/// What became of the requests.
#[derive(Debug, Default)]
struct Outcome {
    same: usize,
    differing: Vec<Case>,
    /// Answered by neither.
    silent: Vec<Case>,
    repeated: usize,
    passed_over: usize,
}

/// A request about which there is something to say.
#[derive(Debug)]
struct Case {
    place: String,
    user: String,
    difference: Difference,
}

/// Compares them.
pub(super) async fn main(args: Args) -> Ended {
    let dictionary = radius_wire::dictionary::builtin()?;
    let (left, right) = (resolve("--left", &args.left)?, resolve("--right", &args.right)?);
    let key = |secret: &str| ClientKey::new(secret.as_bytes());
    let right_secret = args.right_secret.as_deref().unwrap_or(&args.secret);
    let timeout = Duration::from_millis(args.timeout_ms);
    let mut left = Server::open(left, key(&args.secret), timeout, args.tries).await?;
    let mut right = Server::open(right, key(right_secret), timeout, args.tries).await?;
    let mut outcome = Outcome::default();
    let requests: Vec<Request> = match (&args.pcap, &args.requests) {
        (Some(path), _) => {
            let secret = args.capture_secret.as_deref().unwrap_or(&args.secret);
            let captured = capture::read(path, &args.ports, &key(secret))?;
            (outcome.repeated, outcome.passed_over) = (captured.repeated, captured.passed_over);
            captured.requests
        }
        (None, Some(path)) => requests::list(path, &dictionary)?,
        (None, None) => Vec::new(),
    };
    let mut ignored = args.ignored.clone();
    if !args.all {
        ignored.extend(PASSING.map(str::to_owned));
    }
    let care = Care { ignored, near: args.near.clone(), order: args.order };

    let mut pace = tokio::time::interval(Duration::from_secs(1) / args.rate);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for request in requests {
        pace.tick().await;
        let chance = Chance::new();
        let (one, other) = tokio::try_join!(
            left.ask(&request, &chance, &dictionary),
            right.ask(&request, &chance, &dictionary)
        )?;
        outcome.judge(request, one, other, &care);
    }

    if args.json {
        put_json(&as_json(&outcome))?;
    } else {
        put(&show(&outcome, &Style::of_stdout()))?;
    }
    Ok(match (outcome.differing.is_empty(), outcome.silent.is_empty()) {
        (false, _) => NO,
        (true, false) => NO_ANSWER,
        (true, true) => DONE,
    })
}

impl Outcome {
    fn judge(&mut self, request: Request, left: Heard, right: Heard, care: &Care) {
        let case = |difference| Case { place: request.place, user: request.user, difference };
        match (left, right) {
            (Heard::Answer(left), Heard::Answer(right)) => {
                let difference = compare(&left, &right, care);
                match difference.is_none() {
                    true => self.same += 1,
                    false => self.differing.push(case(difference)),
                }
            }
            (Heard::Answer(left), Heard::Nothing { invalid }) => {
                let (left, right) = (vec![left.code.to_string()], vec![silence(invalid)]);
                self.differing.push(case(Difference { left, right, reordered: false }));
            }
            (Heard::Nothing { invalid }, Heard::Answer(right)) => {
                let (left, right) = (vec![silence(invalid)], vec![right.code.to_string()]);
                self.differing.push(case(Difference { left, right, reordered: false }));
            }
            (Heard::Nothing { invalid: left }, Heard::Nothing { invalid: right }) => {
                let (left, right) = (vec![silence(left)], vec![silence(right)]);
                self.silent.push(case(Difference { left, right, reordered: false }));
            }
        }
    }
}

fn silence(invalid: u32) -> String {
    match invalid {
        0 => "no answer".to_owned(),
        _ => "no answer that could be believed: is the secret right?".to_owned(),
    }
}

fn show(outcome: &Outcome, style: &Style) -> String {
    let mut out = String::new();
    let cases = outcome.differing.iter().chain(&outcome.silent);
    for case in cases.take(SHOWN) {
        let head = plain(&format!("{} {}", case.place, case.user));
        out.push_str(&format!("{}\n", style.paint(Colour::Strong, head.trim_end())));
        for (sign, colour, texts) in
            [("-", Colour::Bad, &case.difference.left), ("+", Colour::Good, &case.difference.right)]
        {
            for text in texts {
                out.push_str(&format!(
                    "{}\n",
                    style.paint(colour, &format!("  {sign} {}", plain(text)))
                ));
            }
        }
        if case.difference.reordered {
            out.push_str("  the same attributes in another order\n");
        }
    }
    let (differing, silent) = (outcome.differing.len(), outcome.silent.len());
    if differing + silent > SHOWN {
        out.push_str(&format!("and {} more; --json shows all\n", differing + silent - SHOWN));
    }
    if outcome.repeated + outcome.passed_over > 0 {
        out.push_str(&format!(
            "of the capture: {} sent again and asked once, {} in pieces, cut short or no RADIUS\n",
            outcome.repeated, outcome.passed_over
        ));
    }
    out.push_str(&format!(
        "{} the same, {differing} differ (- left, + right), {silent} without an answer\n",
        outcome.same
    ));
    out
}

fn as_json(outcome: &Outcome) -> Value {
    let case = |case: &Case| {
        json!({
            "place": case.place,
            "user": case.user,
            "left": case.difference.left,
            "right": case.difference.right,
            "reordered": case.difference.reordered,
        })
    };
    json!({
        "same": outcome.same,
        "differing": outcome.differing.iter().map(case).collect::<Vec<_>>(),
        "without_answer": outcome.silent.iter().map(case).collect::<Vec<_>>(),
        "repeated_in_capture": outcome.repeated,
        "passed_over_in_capture": outcome.passed_over,
    })
}
