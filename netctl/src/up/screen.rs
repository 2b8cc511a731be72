//! What a start says once everything is ready. The first one fits a screen and shows what was
//! made up, once; later ones are short and hold no secret.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use model::Secret;

use crate::output::{Colour, Style};

/// What the very first start made.
#[derive(Debug)]
pub(super) struct FirstStart {
    pub(super) admin_email: String,
    /// Where it was made up.
    pub(super) password: Option<Secret<String>>,
    /// Where it was made up.
    pub(super) token: Option<Secret<String>>,
}

/// A login of the demo, to try.
#[derive(Debug)]
pub(super) struct DemoLogin<'a> {
    pub(super) customers: usize,
    pub(super) login: &'a str,
    pub(super) password: &'a str,
    pub(super) secret: &'a str,
}

/// Everything the screen tells.
#[derive(Debug)]
pub(super) struct Screen<'a> {
    pub(super) first: Option<&'a FirstStart>,
    pub(super) http: SocketAddr,
    pub(super) auth: SocketAddr,
    pub(super) acct: SocketAddr,
    pub(super) data: &'a Path,
    pub(super) demo: Option<DemoLogin<'a>>,
    /// Whether any RADIUS client was given.
    pub(super) has_client: bool,
    /// How this program was called.
    pub(super) netctl: &'a str,
}

impl Screen<'_> {
    pub(super) fn show(&self, style: &Style) -> String {
        let strong = |text: &str| style.paint(Colour::Strong, text);
        let url = self.url();
        let mut out = String::new();
        let head = format!("Lastmile {} is running.", env!("CARGO_PKG_VERSION"));
        // Writing to a string cannot fail; the same below.
        let _ = writeln!(out, "{}", style.paint(Colour::Good, &head));
        let Some(first) = self.first else {
            let _ = writeln!(out, "  console {url}, RADIUS {} and {}", self.auth, self.acct);
            let _ = writeln!(out, "  data    {}", self.data.display());
            if let Some(demo) = &self.demo {
                let _ = writeln!(out, "  demo    {} customers, going in and out", demo.customers);
            }
            let _ = writeln!(out, "  {}", self.call("status"));
            return out;
        };
        let _ = writeln!(out, "\n{}", strong("Where"));
        let _ = writeln!(out, "  console, API    {url}");
        let _ = writeln!(out, "  RADIUS          authentication {}/udp", self.auth);
        let _ = writeln!(out, "                  accounting {}/udp", self.acct);
        let _ = writeln!(out, "  data            {}", self.data.display());
        if let Some(demo) = &self.demo {
            let _ = writeln!(
                out,
                "  demo            {} customers behind the NAS {}, going in and out",
                demo.customers,
                crate::demo::NAS_NAME
            );
        }
        out.push_str(&sign_in(first, &url, style));
        let _ = writeln!(out, "\n{}", strong("Try next"));
        for command in self.next(first, &url) {
            let _ = writeln!(out, "  {command}");
        }
        if !self.has_client && self.demo.is_none() {
            let _ = writeln!(
                out,
                "\nNo router may ask yet: the last command lets one. Packets of others are dropped."
            );
        }
        let _ = writeln!(out, "\nCtrl-C stops everything.");
        out
    }

    /// Three commands that show something in this state.
    fn next(&self, first: &FirstStart, url: &str) -> [String; 3] {
        let token = first.token.as_ref().map_or("$TOKEN", |token| token.expose());
        let post = |path: &str, body: &str| {
            format!(
                "curl {url}api/v1/{path} -H 'Authorization: Bearer {token}' \\\n    -d '{body}'"
            )
        };
        let plan = post(
            "plans",
            "{\"name\":\"Home 100\",\"price\":{\"amount\":2999,\"currency\":\"USD\"},\
             \"download_bps\":100000000,\"upload_bps\":40000000}",
        );
        if let Some(demo) = &self.demo {
            let mut test = format!(
                "{} radius test --user {} --password {} --secret {}",
                self.netctl, demo.login, demo.password, demo.secret
            );
            if self.auth.port() != 1812 || !reaches_loopback(self.auth.ip()) {
                let _ = write!(test, " --server {}", reachable(self.auth));
            }
            return [self.call("status"), self.call("sessions"), test];
        }
        if self.has_client {
            return [self.call("status"), plan, self.call("sessions")];
        }
        let nas = post(
            "nas",
            "{\"name\":\"bng1\",\"address\":\"192.0.2.1\",\"secret\":\"a-long-secret\",\
             \"vendor\":\"mikrotik\"}",
        );
        [self.call("status"), plan, nas]
    }

    /// A call of this program that finds the sockets.
    fn call(&self, what: &str) -> String {
        let plain = matches!(self.data.to_str(), Some("var" | "./var" | "var/" | "./var/"));
        if plain {
            return format!("{} {what}", self.netctl);
        }
        format!("{} {what} --run {}", self.netctl, self.data.join("run").display())
    }

    fn url(&self) -> String {
        format!("http://{}/", reachable(self.http))
    }
}

/// How to sign in, also for a start that made an administrator and then failed.
pub(super) fn sign_in(first: &FirstStart, url: &str, style: &Style) -> String {
    let made_up = |secret: &Option<Secret<String>>| match secret {
        Some(secret) => format!("{}  (shown this once)", secret.expose()),
        None => "as given".to_owned(),
    };
    format!(
        "\n{}\n  console         {url}login\n  e-mail          {}\n  password        {}\n  API \
         token       {}\n",
        style.paint(Colour::Strong, "Sign in"),
        first.admin_email,
        made_up(&first.password),
        made_up(&first.token)
    )
}

/// An address one can connect to: "every address" becomes loopback.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::from([127, 0, 0, 1]),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn reaches_loopback(ip: IpAddr) -> bool {
    reachable(SocketAddr::new(ip, 0)).ip() == IpAddr::from([127, 0, 0, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(made_up: bool) -> FirstStart {
        let secret = |text: &str| made_up.then(|| Secret::from(text));
        FirstStart {
            admin_email: "admin@localhost".to_owned(),
            password: secret("pw-made-up"),
            token: secret("lmt-made-up"),
        }
    }

    fn screen<'a>(first: Option<&'a FirstStart>) -> Screen<'a> {
        Screen {
            first,
            http: ([0, 0, 0, 0], 8080).into(),
            auth: ([0, 0, 0, 0], 1812).into(),
            acct: ([0, 0, 0, 0], 1813).into(),
            data: Path::new("var"),
            demo: None,
            has_client: false,
            netctl: "netctl",
        }
    }

    fn demo() -> Option<DemoLogin<'static>> {
        Some(DemoLogin { customers: 40, login: "a.b", password: "p", secret: "s" })
    }

    fn shown(screen: &Screen<'_>) -> String {
        screen.show(&Style::default())
    }

    #[test]
    fn the_first_start_fits_a_screen_and_shows_what_was_made_up() {
        let first = first(true);
        let mut screen = screen(Some(&first));
        for (demo, has_client) in [(None, false), (None, true), (demo(), false)] {
            screen.demo = demo;
            screen.has_client = has_client;
            let text = shown(&screen);
            assert!(text.lines().count() <= 24, "{text}");
            for wanted in [
                "http://127.0.0.1:8080/",
                "authentication 0.0.0.0:1812/udp",
                "accounting 0.0.0.0:1813/udp",
                "admin@localhost",
                "pw-made-up  (shown this once)",
                "lmt-made-up  (shown this once)",
                "  netctl status\n",
            ] {
                assert!(text.contains(wanted), "{wanted} in\n{text}");
            }
        }
    }

    #[test]
    fn the_commands_fit_the_state() {
        let first = first(true);
        let mut screen = screen(Some(&first));
        let text = shown(&screen);
        assert!(text.contains("api/v1/nas") && text.contains("No router may ask yet"), "{text}");
        screen.has_client = true;
        let text = shown(&screen);
        assert!(text.contains("api/v1/plans") && !text.contains("api/v1/nas"), "{text}");
        screen.demo = demo();
        screen.auth = ([127, 0, 0, 1], 18120).into();
        screen.data = Path::new("/srv/x");
        let text = shown(&screen);
        assert!(text.contains("netctl sessions --run /srv/x/run\n"), "{text}");
        let test = "radius test --user a.b --password p --secret s --server 127.0.0.1:18120\n";
        assert!(text.contains(test), "{text}");
    }

    #[test]
    fn what_was_given_is_not_repeated_and_later_starts_hold_no_secret() {
        let given = first(false);
        let text = shown(&screen(Some(&given)));
        assert!(text.contains("password        as given"), "{text}");
        assert!(text.contains("Bearer $TOKEN"), "{text}");
        let mut later = screen(None);
        later.demo = demo();
        let text = shown(&later);
        assert!(text.lines().count() <= 6 && !text.contains("--secret"), "{text}");
    }
}
