//! The Access-Request of `radius test`.

use std::net::IpAddr;

use model::Secret;
use radius_wire::attr::{self, microsoft};
use radius_wire::auth::{chap_response, mschap2_response, mschap2_value, mschap2_verify, nt_hash};
use radius_wire::{ClientKey, Code, Full, Writer, vendor};

use super::attribute::Extra;

/// How a password is proven.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "lower")]
pub(super) enum Method {
    /// The password itself, hidden under the secret
    Pap,
    /// MD5 over a challenge
    Chap,
    /// MS-CHAPv2, which makes the server prove that it knows the password too
    MsChapV2,
}

/// Who logs in.
#[derive(Debug)]
pub(super) struct Credentials {
    pub(super) user: String,
    pub(super) password: Secret<String>,
    pub(super) method: Method,
}

/// What the answer is compared with.
#[derive(Debug)]
pub(super) struct Expected {
    /// The authenticator of the request.
    pub(super) authenticator: [u8; 16],
    /// MS-CHAP2-Success, where the method has one.
    pub(super) success: Option<[u8; 43]>,
}

/// What else the request says.
#[derive(Debug)]
pub(super) struct Around<'a> {
    /// Our address as the server sees it.
    pub(super) local: IpAddr,
    pub(super) nas_identifier: Option<&'a str>,
    pub(super) calling_station_id: Option<&'a str>,
    pub(super) attributes: &'a [Extra],
}

/// Writes the request.
pub(super) fn write(
    identifier: u8,
    credentials: &Credentials,
    around: &Around<'_>,
    key: &ClientKey,
    buf: &mut Vec<u8>,
) -> Result<Expected, Full> {
    let authenticator = daemon::secrets::random();
    let mut writer = Writer::request(Code::ACCESS_REQUEST, identifier, &authenticator, buf);
    writer.message_authenticator()?;
    writer.text(attr::USER_NAME, &credentials.user)?;
    let success = prove(credentials, key, &mut writer)?;
    let given =
        |kind| around.attributes.iter().any(|extra| extra.vendor == 0 && extra.kind == kind);
    if !given(attr::SERVICE_TYPE) {
        writer.attribute_u32(attr::SERVICE_TYPE, 2)?;
    }
    if !given(attr::FRAMED_PROTOCOL) {
        writer.attribute_u32(attr::FRAMED_PROTOCOL, 1)?;
    }
    if let Some(station) = around.calling_station_id {
        writer.text(attr::CALLING_STATION_ID, station)?;
    }
    // RFC 2865 §4.1: one of them must be there.
    match (around.nas_identifier, around.local) {
        (Some(name), _) => writer.text(attr::NAS_IDENTIFIER, name)?,
        (None, _)
            if given(attr::NAS_IDENTIFIER)
                || given(attr::NAS_IP_ADDRESS)
                || given(attr::NAS_IPV6_ADDRESS) => {}
        (None, IpAddr::V4(local)) => writer.attribute_ipv4(attr::NAS_IP_ADDRESS, local)?,
        (None, IpAddr::V6(local)) => writer.attribute(attr::NAS_IPV6_ADDRESS, &local.octets())?,
    }
    for extra in around.attributes {
        extra.write(&mut writer)?;
    }
    writer.finish_access_request(key);
    Ok(Expected { authenticator, success })
}

/// Adds the proof of the password.
fn prove(
    credentials: &Credentials,
    key: &ClientKey,
    writer: &mut Writer<'_>,
) -> Result<Option<[u8; 43]>, Full> {
    let Credentials { user, password, method } = credentials;
    let challenge: [u8; 16] = daemon::secrets::random();
    let [ident] = daemon::secrets::random();
    match method {
        Method::Pap => writer.user_password(password.expose().as_bytes(), key)?,
        Method::Chap => {
            let response = chap_response(ident, &challenge, password.expose().as_bytes());
            writer.attribute(attr::CHAP_CHALLENGE, &challenge)?;
            writer.attribute(attr::CHAP_PASSWORD, &response)?;
        }
        Method::MsChapV2 => {
            let hash = nt_hash(password.expose());
            let peer_challenge = daemon::secrets::random();
            let name = user.as_bytes();
            let nt_response = mschap2_response(name, &challenge, &peer_challenge, &hash);
            let response = mschap2_value(ident, &peer_challenge, &nt_response);
            writer.vendor(vendor::MICROSOFT, microsoft::CHAP_CHALLENGE, &challenge)?;
            writer.vendor(vendor::MICROSOFT, microsoft::CHAP2_RESPONSE, &response)?;
            // Our own response proves our own hash: this is what a server that knows it says.
            return Ok(mschap2_verify(name, &challenge, &response, &hash));
        }
    }
    Ok(None)
}
