//! `netctl radius`: RADIUS as a NAS speaks it.
//!
//! - `attribute`: `NAME=VALUE` from the command line.
//! - `request`: the Access-Request.
//! - `probe`: sends it, and judges what comes back.
//! - `compare`: the same requests to two servers.

mod attribute;
mod compare;
mod probe;
mod request;

use std::io::Read;
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use model::Secret;
use radius_wire::{Attributes, dict};
use serde_json::{Value, json};

use crate::exit::{DONE, Ended, Failure, NO, NO_ANSWER, put, put_json};
use crate::output::{Colour, Style};

use attribute::Extra;
use probe::{Probe, Trouble, Verdict};
use request::{Credentials, Method};

/// What to try.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// Send one Access-Request and judge the answer
    Test(Args),
    /// Send the same requests to two servers and print what their answers differ in
    #[command(after_help = compare::HELP)]
    Compare(compare::Args),
}

/// Arguments of `radius test`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// User-Name
    #[arg(long, value_name = "U", value_parser = NonEmptyStringValueParser::new())]
    user: String,

    /// The password; others may see it in the list of processes
    #[arg(long, value_name = "P", required_unless_present = "password_stdin")]
    #[arg(conflicts_with = "password_stdin")]
    password: Option<String>,

    /// Read the password from stdin, up to the end of its first line
    #[arg(long)]
    password_stdin: bool,

    /// How the password is proven
    #[arg(long, value_enum, default_value_t = Method::Pap)]
    method: Method,

    /// Where to ask
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:1812")]
    server: String,

    /// The secret shared with the server
    #[arg(long, value_name = "S", env = "LASTMILE_SECRET", hide_env_values = true)]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    secret: String,

    /// NAS-Identifier [default: none, NAS-IP-Address instead]
    #[arg(long, value_name = "X")]
    nas_identifier: Option<String>,

    /// Calling-Station-Id, such as a MAC
    #[arg(long, value_name = "M")]
    calling_station_id: Option<String>,

    /// One more attribute, by its dictionary name; may be repeated
    #[arg(long = "attr", value_name = "NAME=VALUE")]
    attributes: Vec<Extra>,

    /// Time for an answer to each try
    #[arg(long, value_name = "MS", default_value_t = 3000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=600_000))]
    timeout_ms: u64,

    /// Times to send it at most
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=100))]
    tries: u32,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// The server's name leads nowhere.
#[derive(Debug, thiserror::Error)]
#[error("{option} {server} is not HOST:PORT")]
struct ServerError {
    option: &'static str,
    server: String,
    source: Option<std::io::Error>,
}

/// Tries it.
pub(crate) async fn main(verb: Verb) -> Ended {
    match verb {
        Verb::Test(args) => test(args).await,
        Verb::Compare(args) => compare::main(args).await,
    }
}

async fn test(args: Args) -> Ended {
    let server = resolve("--server", &args.server)?;
    let password = match args.password {
        Some(password) => Secret::new(password),
        None => from_stdin()?,
    };
    let probe = Probe {
        server,
        secret: Secret::new(args.secret),
        credentials: Credentials { user: args.user, password, method: args.method },
        nas_identifier: args.nas_identifier,
        calling_station_id: args.calling_station_id,
        attributes: args.attributes,
        timeout: Duration::from_millis(args.timeout_ms),
        tries: args.tries,
    };
    let verdict = probe.run().await?;
    if args.json {
        put_json(&as_json(&verdict))?;
    } else {
        match &verdict {
            Verdict::Answered { .. } => put(&show(&verdict, &Style::of_stdout()))?,
            Verdict::Silent { .. } => eprint!("netctl: {}", show(&verdict, &Style::default())),
        }
    }
    Ok(code(&verdict))
}

fn resolve(option: &'static str, server: &str) -> Result<SocketAddr, ServerError> {
    let failed = |source| ServerError { option, server: server.to_owned(), source };
    let mut found = server.to_socket_addrs().map_err(|source| failed(Some(source)))?;
    found.next().ok_or_else(|| failed(None))
}

fn from_stdin() -> Result<Secret<String>, Failure> {
    // Longer than any password RADIUS carries; a longer one is refused when it is written.
    let mut text = String::with_capacity(1024);
    std::io::stdin().take(1023).read_to_string(&mut text)?;
    let text = Secret::new(text);
    Ok(Secret::from(text.expose().split(['\n', '\r']).next().unwrap_or_default()))
}

fn code(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Answered { accepted: true, troubles, .. }
            if !troubles.iter().any(Trouble::is_fatal) =>
        {
            DONE
        }
        Verdict::Answered { .. } => NO,
        Verdict::Silent { .. } => NO_ANSWER,
    }
}

fn show(verdict: &Verdict, style: &Style) -> String {
    match verdict {
        Verdict::Answered { code, accepted, round_trip, attributes, troubles } => {
            let colour = if *accepted { Colour::Good } else { Colour::Bad };
            let ms = round_trip.as_secs_f64() * 1e3;
            let head = style.paint(colour, &code.to_string());
            let mut out = format!("{head} after {ms:.1} ms\n");
            for line in lines(attributes) {
                out.push_str(&format!("  {line}\n"));
            }
            for trouble in troubles {
                let colour = if trouble.is_fatal() { Colour::Bad } else { Colour::Warning };
                out.push_str(&format!("{}\n", style.paint(colour, &trouble.to_string())));
            }
            out
        }
        Verdict::Silent { server, refused: true, last: None, .. } => {
            format!("no answer: no program listens on udp {server}; is the server running?\n")
        }
        Verdict::Silent { server, tries, invalid, last, .. } => {
            let times = if *tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") };
            let Some(last) = last else {
                return format!(
                    "no answer from {server} after {times}\n\
                     Likely causes, in this order:\n\
                     \x20 - the server is not running, or does not listen there: netctl status\n\
                     \x20 - this address is not a RADIUS client of the server: it drops the packet\n\
                     \x20 - the secret is wrong: the server drops what it cannot verify\n\
                     \x20 - a firewall is in between\n"
                );
            };
            let answers = if *invalid == 1 { "1 answer" } else { "answers" };
            format!("{server} sent {answers} that cannot be believed: {last}\n")
        }
    }
}

/// Every attribute as `Name = value`; the Message-Authenticator has been judged.
fn lines(attributes: &[u8]) -> Vec<String> {
    let attributes = Attributes::parse(attributes).unwrap_or_default();
    attributes.iter().map(|attribute| dict::show(&attribute).to_string()).collect()
}

fn as_json(verdict: &Verdict) -> Value {
    match verdict {
        Verdict::Answered { code, accepted, round_trip, attributes, troubles } => json!({
            "result": if *accepted { "accept" } else { "reject" },
            "code": code.to_string(),
            "round_trip_ms": round_trip.as_secs_f64() * 1e3,
            "attributes": lines(attributes),
            "troubles": troubles.iter().map(ToString::to_string).collect::<Vec<_>>(),
        }),
        Verdict::Silent { server, tries, invalid, last, refused } => json!({
            "result": "no_answer",
            "server": server.to_string(),
            "tries": tries,
            "invalid_answers": invalid,
            "last_invalid": last.as_ref().map(ToString::to_string),
            "refused": refused,
        }),
    }
}

#[cfg(test)]
mod tests;
