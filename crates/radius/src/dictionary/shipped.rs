//! The files built into the program: `config/dictionaries`.

use std::borrow::Cow;
use std::io;

use super::builder::{Builder, Found};
use super::{Dictionary, DictionaryError};

/// The one that includes the others.
pub const ROOT: &str = "dictionary";

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../../config/dictionaries/", $name)))),*]
    };
}

static FILES: &[(&str, &str)] = files! {
    "dictionary"
    "rfc2865" "rfc2866" "rfc2867" "rfc2868" "rfc2869" "rfc3162" "rfc3576" "rfc3580" "rfc4072"
    "rfc4372" "rfc4675" "rfc4818" "rfc4849" "rfc5176" "rfc5580" "rfc5607" "rfc5904" "rfc6519"
    "rfc6572" "rfc6911" "rfc6929" "rfc7268" "rfc8045" "rfc8559"
    "accel-ppp" "adsl-forum" "aruba" "ascend" "chillispot" "cisco" "erx" "freeradius" "h3c"
    "huawei" "juniper" "microsoft" "mikrotik" "netelastic" "nokia" "redback" "rtbrick"
    "tplink" "ubiquiti" "vasexperts" "wispr" "zte"
};

/// Each file's name and text.
pub fn dictionaries() -> &'static [(&'static str, &'static str)] {
    FILES
}

/// Finds a shipped file by its name.
pub fn resolve(name: &str) -> io::Result<Found<'static>> {
    let found = FILES.iter().find(|(known, _)| *known == name);
    let (name, text) = found.ok_or_else(|| {
        io::Error::new(io::ErrorKind::NotFound, "no dictionary of this name is shipped")
    })?;
    Ok(Found { name: (*name).to_owned(), text: Cow::Borrowed(text) })
}

/// A builder that has read the shipped files: for files of the operator's own on top.
pub fn builder() -> Result<Builder, DictionaryError> {
    let mut builder = Builder::new();
    let (_, text) = FILES[0];
    builder.file(ROOT, text, &mut |_, name| resolve(name))?;
    Ok(builder)
}

/// The dictionary of the shipped files. That they can be read is tested, so the error is for
/// form's sake.
pub fn builtin() -> Result<Dictionary, DictionaryError> {
    builder()?.finish()
}
