//! Under which name a page is asked for, and what is shown for it: whose brand, which providers.
//! A name gives a page its looks and never a right.

use std::net::IpAddr;

use actix_web::HttpRequest;
use model::OrganisationId;

use super::brand::Brand;
use crate::domain::{Office, organisation};
use crate::http::Web;
use crate::oidc::provider;

/// The name a browser has for us.
pub(super) struct Place {
    /// With the port, as it was typed.
    authority: String,
    /// Whose own name it is, where it is somebody's.
    organisation: Option<OrganisationId>,
}

/// How a browser reaches us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    /// Under this address, without the slash at the end.
    Here(String),
    /// It came under another name than the one that is meant.
    There(String),
    /// Nobody said, and a request's own words are not believed.
    Unknown,
}

impl Place {
    /// The name a request came under. Where the database does not answer, it is nobody's.
    pub(super) async fn of(request: &HttpRequest, office: &Office) -> Self {
        let authority = request.connection_info().host().to_ascii_lowercase();
        let (host, _) = split(&authority);
        let public = office.mail.public_url.as_deref().map(self::authority);
        // The configuration may name it after an organisation was given it.
        let own = public.is_some_and(|own| split(own).0.eq_ignore_ascii_case(host));
        let organisation = match own {
            true => None,
            false => organisation::by_host(office, host).await.ok().flatten(),
        };
        Self { authority, organisation }
    }

    /// What stands where the product's name and colours would.
    pub(super) async fn brand(&self, office: &Office) -> Brand {
        match self.organisation {
            Some(id) => Brand::of_organisation(office, id).await,
            None => Brand::of_root(office).await,
        }
    }

    /// The providers that its sign-in page offers, id and name.
    pub(super) async fn offers(&self, office: &Office) -> Vec<(String, String)> {
        let home = match self.organisation {
            Some(id) => Some(id),
            None => organisation::root(office).await.ok(),
        };
        match home {
            // A sign-in page is shown without them where they cannot be read.
            Some(id) => provider::offered(office, id).await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    /// How a browser reaches this page again from elsewhere.
    pub(super) fn base(&self, office: &Office, web: &Web) -> Base {
        let public = office.mail.public_url.as_deref();
        let scheme = scheme(public, web);
        if self.organisation.is_some() {
            return Base::Here(format!("{scheme}://{}", self.authority));
        }
        match public {
            Some(url) if authority(url).eq_ignore_ascii_case(&self.authority) => {
                Base::Here(url.to_owned())
            }
            Some(url) => Base::There(url.to_owned()),
            None if is_loopback(&self.authority) => {
                Base::Here(format!("{scheme}://{}", self.authority))
            }
            None => Base::Unknown,
        }
    }
}

/// The scheme of our addresses.
pub(super) fn scheme(public: Option<&str>, web: &Web) -> &'static str {
    let tls = web.secure_cookie || public.is_some_and(|url| url.starts_with("https://"));
    if tls { "https" } else { "http" }
}

/// Name and port of an authority.
fn split(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, Some(port)),
        _ => (authority, None),
    }
}

/// What stands between the scheme and the path of an address.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split('/').next().unwrap_or(rest)
}

fn is_loopback(authority: &str) -> bool {
    let (host, _) = split(authority);
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_a_name_and_perhaps_a_port() {
        assert_eq!(split("office.example"), ("office.example", None));
        assert_eq!(split("office.example:8443"), ("office.example", Some("8443")));
        assert_eq!(split("[::1]:80"), ("[::1]", Some("80")));
        assert_eq!(authority("https://office.example:8443/x/"), "office.example:8443");
        for here in ["127.0.0.1:8080", "[::1]:8080", "localhost"] {
            assert!(is_loopback(here), "{here}");
        }
        for not in ["office.example", "localhost.evil.example", "10.0.0.1"] {
            assert!(!is_loopback(not), "{not}");
        }
    }
}
