//! The authentication methods: who proves what, and what the reply must prove back.

use model::identity::MacAddress;
use model::reject::RejectReason;
use radius_wire::auth::{self, Mppe};
use radius_wire::{ClientKey, Packet, Writer, attr, password, vendor};
use ring::rand::{SecureRandom, SystemRandom};

use super::Refusal;
use crate::cache::Opened;

/// What the reply owes the client besides the policy.
pub(crate) enum Proof {
    /// Nothing.
    None,
    /// MS-CHAPv2's authenticator response and the keys for MPPE.
    MsChapV2 {
        /// The response's identifier, then `S=` and 40 hexadecimal digits (RFC 2548 §2.3.3).
        success: [u8; 43],
        /// Keys for the session (RFC 3079 §3).
        keys: Mppe,
    },
}

const MS_CHAP_RESPONSE: u8 = 1;
const MS_CHAP_CHALLENGE: u8 = 11;
const MS_MPPE_SEND_KEY: u8 = 16;
const MS_MPPE_RECV_KEY: u8 = 17;
const MS_CHAP2_RESPONSE: u8 = 25;
const MS_CHAP2_SUCCESS: u8 = 26;

/// Checks the request's proof of the password. The methods are told apart by attribute.
pub(crate) fn prove(
    packet: &Packet<'_>,
    key: &ClientKey,
    name: &[u8],
    credential: Option<&Opened<'_>>,
) -> Result<Proof, RejectReason> {
    let attributes = packet.attributes();
    let credential = credential.ok_or(RejectReason::MethodNotPossible)?;
    let checked = |well| if well { Ok(Proof::None) } else { Err(RejectReason::WrongPassword) };

    if let Some(hidden) = attributes.first(attr::USER_PASSWORD) {
        let mut clear = [0; password::OCTETS_MAX];
        let len = password::unhide(hidden, key, packet.authenticator(), &mut clear)
            .ok_or(RejectReason::WrongPassword)?;
        let given = &clear[..len];
        return checked(match credential {
            Opened::Clear(own) => auth::pap_matches(given, own.expose()),
            Opened::NtHash(own) => {
                daemon::secrets::constant_time_eq(&auth::nt_hash(given), own.expose())
            }
        });
    }
    if let Some(response) = attributes.first(attr::CHAP_PASSWORD) {
        let Opened::Clear(own) = credential else { return Err(RejectReason::MethodNotPossible) };
        let response = response.try_into().map_err(|_| RejectReason::WrongPassword)?;
        // RFC 2865 §5.40: without CHAP-Challenge the challenge is the request authenticator.
        let challenge =
            attributes.first(attr::CHAP_CHALLENGE).unwrap_or(packet.authenticator().as_slice());
        return checked(auth::chap_matches(response, challenge, own.expose()));
    }
    let challenge = attributes.vendor(vendor::MICROSOFT, MS_CHAP_CHALLENGE);
    if let (Some(challenge), Some(response)) =
        (challenge, attributes.vendor(vendor::MICROSOFT, MS_CHAP2_RESPONSE))
    {
        return ms_chap_v2(name, challenge, response, &nt_hash_of(credential)?);
    }
    if let (Some(challenge), Some(response)) =
        (challenge, attributes.vendor(vendor::MICROSOFT, MS_CHAP_RESPONSE))
    {
        let response = response.try_into().map_err(|_| RejectReason::WrongPassword)?;
        let challenge = challenge.try_into().map_err(|_| RejectReason::WrongPassword)?;
        return checked(auth::mschap1_matches(challenge, response, &nt_hash_of(credential)?));
    }
    Err(RejectReason::NoCredentials)
}

/// Checks a request for a MAC that has no password: see [`identify`](super::identify).
pub(crate) fn prove_mac(
    packet: &Packet<'_>,
    key: &ClientKey,
    mac: MacAddress,
) -> Result<Proof, RejectReason> {
    let attributes = packet.attributes();
    let checked = |well| if well { Ok(Proof::None) } else { Err(RejectReason::WrongPassword) };
    if let Some(hidden) = attributes.first(attr::USER_PASSWORD) {
        let mut clear = [0; password::OCTETS_MAX];
        let len = password::unhide(hidden, key, packet.authenticator(), &mut clear)
            .ok_or(RejectReason::WrongPassword)?;
        let given = &clear[..len];
        let same = MacAddress::parse(given) == Ok(mac);
        return checked(given.is_empty() || same || key.is_secret(given));
    }
    if let Some(response) = attributes.first(attr::CHAP_PASSWORD) {
        let response = response.try_into().map_err(|_| RejectReason::WrongPassword)?;
        let challenge =
            attributes.first(attr::CHAP_CHALLENGE).unwrap_or(packet.authenticator().as_slice());
        // CHAP hides the spelling; a NAS that sends the MAC as password spells it as the name.
        let name = attributes.first(attr::USER_NAME).unwrap_or_default();
        let matches = |password: &[u8]| auth::chap_matches(response, challenge, password);
        return checked(matches(b"") || matches(name));
    }
    let microsoft = [MS_CHAP_RESPONSE, MS_CHAP2_RESPONSE];
    if microsoft.iter().any(|kind| attributes.vendor(vendor::MICROSOFT, *kind).is_some()) {
        return Err(RejectReason::MethodNotPossible);
    }
    Ok(Proof::None)
}

fn ms_chap_v2(
    name: &[u8],
    challenge: &[u8],
    response: &[u8],
    nt_hash: &[u8; 16],
) -> Result<Proof, RejectReason> {
    let challenge: &[u8; 16] = challenge.try_into().map_err(|_| RejectReason::WrongPassword)?;
    let response: &[u8; 50] = response.try_into().map_err(|_| RejectReason::WrongPassword)?;
    // The hash covers the name the user typed, without a DOMAIN\ in front (RFC 2759 §4).
    let user = name.rsplit(|b| *b == b'\\').next().unwrap_or(name);
    let success = auth::mschap2_verify(user, challenge, response, nt_hash)
        .ok_or(RejectReason::WrongPassword)?;
    let keys = Mppe::of_mschap2(nt_hash, response);
    Ok(Proof::MsChapV2 { success, keys })
}

fn nt_hash_of(credential: &Opened<'_>) -> Result<[u8; 16], RejectReason> {
    match credential {
        Opened::Clear(own) => Ok(auth::nt_hash(own.expose())),
        // A stored hash of another length is broken; guessing one would let anybody in.
        Opened::NtHash(own) => own.expose().try_into().map_err(|_| RejectReason::MethodNotPossible),
    }
}

impl Proof {
    /// Writes what is owed.
    pub(crate) fn write(
        &self,
        writer: &mut Writer<'_>,
        packet: &Packet<'_>,
        key: &ClientKey,
    ) -> Result<(), Refusal> {
        let Self::MsChapV2 { success, keys } = self else { return Ok(()) };
        writer.vendor(vendor::MICROSOFT, MS_CHAP2_SUCCESS, success)?;
        // RFC 2548 §2.4.2: the salts of a packet differ, and their highest bit is set.
        let mut salt = [0; 2];
        SystemRandom::new().fill(&mut salt).map_err(|_| Refusal::Unsaid)?;
        for (kind, session_key, mark) in
            [(MS_MPPE_SEND_KEY, &keys.send, 0), (MS_MPPE_RECV_KEY, &keys.receive, 1)]
        {
            let salt = [salt[0] | 0x80, (salt[1] & 0xfe) | mark];
            let sealed = auth::mppe_encrypt(session_key, key, packet.authenticator(), salt);
            writer.vendor(vendor::MICROSOFT, kind, &sealed)?;
        }
        Ok(())
    }
}
