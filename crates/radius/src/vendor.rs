//! Vendor numbers: SMI Network Management Private Enterprise Codes (RFC 2865 §5.26).

/// Cisco.
pub const CISCO: u32 = 9;
/// Microsoft (RFC 2548).
pub const MICROSOFT: u32 = 311;
/// Ascend.
pub const ASCEND: u32 = 529;
/// Redback, later Ericsson.
pub const REDBACK: u32 = 2352;
/// The ADSL Forum, now the Broadband Forum (RFC 4679).
pub const ADSL_FORUM: u32 = 3561;
/// WISPr roaming.
pub const WISPR: u32 = 14122;
/// MikroTik.
pub const MIKROTIK: u32 = 14988;
