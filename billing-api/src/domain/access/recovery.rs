//! Recovery codes: ten codes of 80 random bits, kept as SHA-256, each good once.

use daemon::secrets::{random, sha256};
use model::{RecoveryCodeId, Secret, StaffId, Ts};
use store::args;

use super::totp::base32;
use crate::domain::{Fault, Unit};
use crate::store::access as sql;

/// Codes of a set.
pub(crate) const CODES: usize = 10;
/// Octets of a code: 16 characters of base 32.
const OCTETS: usize = 10;

/// Makes a new set; the one before is good for nothing any more.
pub(crate) async fn renew(
    unit: &mut Unit<'_>,
    staff: StaffId,
) -> Result<Vec<Secret<String>>, Fault> {
    unit.execute(&sql::DELETE_CODES, args![staff]).await?;
    let mut codes = Vec::new();
    for _ in 0..CODES {
        let text = base32(&random::<OCTETS>()).to_lowercase();
        let hash = hash(&text);
        let args = args![RecoveryCodeId::generate(), staff, hash, unit.now];
        unit.execute(&sql::INSERT_CODE, args).await?;
        let groups: Vec<&str> = (0..4).map(|n| &text[4 * n..4 * n + 4]).collect();
        codes.push(Secret::new(groups.join("-")));
    }
    Ok(codes)
}

/// Takes a code; whether it was good.
pub(crate) async fn take(
    unit: &mut Unit<'_>,
    staff: StaffId,
    typed: &str,
    now: Ts,
) -> Result<bool, Fault> {
    let taken = unit.execute(&sql::USE_CODE, args![staff, hash(typed), now]).await?;
    Ok(taken == 1)
}

/// Whether what was typed looks like a recovery code and not like one of six digits.
pub(crate) fn is_one(typed: &str) -> bool {
    plain(typed).len() == 16
}

fn plain(typed: &str) -> String {
    typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn hash(typed: &str) -> Vec<u8> {
    sha256(plain(typed).as_bytes()).to_vec()
}
