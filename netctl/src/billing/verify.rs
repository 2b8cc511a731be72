//! `netctl billing verify`: the ledger, computed again.

use serde::{Deserialize, Serialize};

use crate::ask::Ask;
use crate::exit::{DONE, Ended, NO, put, put_json};

/// What `billing-api` found.
#[derive(Debug, Serialize, Deserialize)]
struct Verified {
    payments: u64,
    adjustments: u64,
    differences: u64,
    told: Vec<String>,
}

/// Asks, and tells what does not fit; exit code 1 where something does not.
pub(super) async fn main(ask: &Ask) -> Ended {
    let verified: Verified = ask.call("billing-api", "verify_ledger", &()).await?;
    if ask.json {
        put_json(&verified)?;
    } else {
        let mut text = String::new();
        for line in &verified.told {
            text.push_str(&format!("{line}\n"));
        }
        text.push_str(&format!(
            "{} payments and {} adjustments: {} differences\n",
            verified.payments, verified.adjustments, verified.differences
        ));
        put(&text)?;
    }
    Ok(if verified.differences == 0 { DONE } else { NO })
}
