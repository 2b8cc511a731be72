//! The form for a first NAS, of the setup.

use maud::{Markup, html};
use model::nas::{COA_PORT, Vendor};

use super::form::{Body, Filled, Input};
use super::guard::Fields;
use super::words::{self, Words};
use crate::domain::nas;

const NAME: Input = Input::new("name", words::NAS_NAME).hint(words::NAS_NAME_HINT);
const ADDRESS: Input = Input::new("address", words::NAS_ADDRESS).hint(words::NAS_ADDRESS_HINT);
const SECRET: Input = Input::new("secret", words::NAS_SECRET)
    .kind("password")
    .hint(words::NAS_SECRET_HINT)
    .autocomplete("new-password");
const VENDOR: Input = Input::new("vendor", words::NAS_VENDOR);
const COA: Input = Input::new("coa_port", words::NAS_COA_PORT)
    .kind("decimal")
    .hint(words::NAS_COA_PORT_HINT)
    .optional();
pub(super) const INPUTS: [Input; 5] = [NAME, ADDRESS, SECRET, VENDOR, COA];

/// What a new NAS starts from.
pub(super) fn starting() -> Filled {
    let port = COA_PORT.to_string();
    Filled::starting(&[("vendor", Vendor::Mikrotik.as_str()), ("coa_port", port.as_str())])
}

pub(super) fn body(fields: &Fields) -> Vec<u8> {
    let port = fields.get("coa_port");
    // What is not a number goes on as the text it is: the rule says what is wrong with it.
    let port = (!port.is_empty())
        .then(|| port.parse::<i64>().map_or_else(|_| port.into(), serde_json::Value::from));
    Body::default()
        .text(fields, "name")
        .text(fields, "address")
        .secret(fields, "secret")
        .text(fields, "vendor")
        .value("coa_port", port)
        .octets()
}

/// The fields of a new NAS.
pub(super) fn fields(words: &Words, filled: &Filled) -> Markup {
    let name = |vendor: Vendor| words.choice(&nas::NAS, "vendor", vendor.as_str());
    let vendors = Vendor::ALL.map(|vendor| (vendor.as_str().to_owned(), name(vendor)));
    html! {
        (filled.problems(words, &INPUTS))
        (filled.input(words, &NAME))
        (filled.input(words, &ADDRESS))
        (filled.input(words, &SECRET))
        (filled.select(words, &VENDOR, &vendors, false))
        (filled.input(words, &COA))
    }
}
