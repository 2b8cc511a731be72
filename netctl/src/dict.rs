//! `netctl dict`: what an attribute is.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use radius_wire::dictionary::builder::FILE_OCTETS_MAX;
use radius_wire::dictionary::{
    Builder, Definition, Dictionary, DictionaryError, Found, Number, nearest, shipped,
};
use serde_json::{Value, json};

use crate::exit::{DONE, Ended, Failure, NO, put, put_json};
use crate::output::{Cell, Colour, Column, Style, Table, plain};

/// Near names to offer for an unknown one.
const NEAR_MAX: usize = 5;

/// Arguments of `dict`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A name, a part of one, or a number such as 8, 241.5.1 or 26.14988.8
    name: String,

    /// Dictionary files of your own, in FreeRADIUS's format: DIR/dictionary and what it
    /// includes, or else every file in DIR
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// List on stderr what files of your own define differently, or in vain
    #[arg(long, requires = "dir")]
    notes: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Why there is no dictionary, or nothing in it.
#[derive(Debug, thiserror::Error)]
enum DictError {
    #[error("could not read the dictionaries")]
    Dictionary(#[source] DictionaryError),
    #[error("could not read {path}")]
    Folder {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("no attribute is called {name:?}{near}")]
    Unknown { name: String, near: String },
}

impl From<DictionaryError> for DictError {
    fn from(error: DictionaryError) -> Self {
        Self::Dictionary(error)
    }
}

/// Looks it up.
pub(crate) fn main(args: Args) -> Ended {
    let dictionary = load(args.dir.as_deref())?;
    let notes = dictionary.notes();
    if args.notes {
        for note in notes {
            eprintln!("note: {}: {}", plain(&note.source.to_string()), plain(&note.text));
        }
    } else if !notes.is_empty() {
        eprintln!("{} notes on files of your own; --notes lists them", notes.len());
    }
    let found = search(&dictionary, &args.name);
    let near = if found.is_empty() { near(&dictionary, &args.name) } else { Vec::new() };
    if args.json {
        let attributes: Vec<Value> = found.iter().map(|one| as_json(&dictionary, one)).collect();
        put_json(&json!({ "attributes": attributes, "near": near }))?;
        return Ok(if found.is_empty() { NO } else { DONE });
    }
    let style = Style::of_stdout();
    match found[..] {
        [] => {
            let near = match near[..] {
                [] => String::new(),
                _ => format!("; there is {}", near.join(", ")),
            };
            let error = DictError::Unknown { name: args.name, near };
            return Err(Failure { code: NO, error: error.into() });
        }
        [one] => put(&show(&dictionary, one, &style))?,
        _ => put(&list(&dictionary, &found, &style))?,
    }
    Ok(DONE)
}

/// The shipped files, and on top of them those in a folder.
fn load(folder: Option<&Path>) -> Result<Dictionary, DictError> {
    let mut builder = shipped::builder()?;
    if let Some(folder) = folder {
        let files = files_in(folder)
            .map_err(|source| DictError::Folder { path: folder.to_owned(), source })?;
        for path in files {
            add(&mut builder, &path)?;
        }
    }
    Ok(builder.finish()?)
}

/// The file called `dictionary`, or else all there are, in the order of their names.
fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let root = folder.join(shipped::ROOT);
    if root.is_file() {
        return Ok(vec![root]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes()[0] == b'.');
        if !hidden && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn add(builder: &mut Builder, path: &Path) -> Result<(), DictError> {
    let found = read(path).map_err(|source| DictError::Folder { path: path.to_owned(), source })?;
    // Includes are relative to the file they stand in.
    let mut resolve = |from: &str, name: &str| {
        let path = Path::new(from).parent().unwrap_or(Path::new("")).join(name);
        read(&path)
    };
    Ok(builder.file(&found.name, &found.text, &mut resolve)?)
}

/// Reads no more of a file than tells that it is too long. The names in it are ASCII; what
/// stands in comments does not matter.
fn read(path: &Path) -> io::Result<Found<'static>> {
    let mut octets = Vec::new();
    File::open(path)?.take(FILE_OCTETS_MAX as u64 + 1).read_to_end(&mut octets)?;
    let text = String::from_utf8_lossy(&octets).into_owned();
    // One file is one name, however an include spells it.
    let name = path.canonicalize()?.to_string_lossy().into_owned();
    Ok(Found { name, text: Cow::Owned(text) })
}

/// The attribute of this name or number; or else those whose numbers begin like this; or else
/// those that have it in their names, those whose names begin with it first.
fn search<'d>(dictionary: &'d Dictionary, wanted: &str) -> Vec<&'d Definition> {
    let lower = wanted.to_ascii_lowercase();
    if let Ok(number) = lower.strip_prefix("attr-").unwrap_or(&lower).parse::<Number>() {
        let number = number.components();
        return match dictionary.at(number) {
            Some(one) => vec![one],
            None => dictionary
                .iter()
                .filter(|one| one.number.components().starts_with(number))
                .collect(),
        };
    }
    if let Some(one) = dictionary.find(wanted) {
        return vec![one];
    }
    // By rank, then by number: an attribute may have several names.
    let mut found: BTreeMap<&Number, (bool, &Definition)> = BTreeMap::new();
    for (name, one) in dictionary.names().filter(|(name, _)| name.contains(&lower)) {
        let (inside, _) = found.entry(&one.number).or_insert((true, one));
        *inside &= !name.starts_with(&lower);
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_by_key(|(inside, _)| *inside);
    found.into_iter().map(|(_, one)| one).collect()
}

fn near<'d>(dictionary: &'d Dictionary, wanted: &str) -> Vec<&'d str> {
    nearest(wanted, dictionary.iter().map(|one| &*one.name), NEAR_MAX)
}

/// The vendor's name; empty for the standard space.
fn vendor_name<'d>(dictionary: &'d Dictionary, one: &Definition) -> &'d str {
    dictionary.vendor(one.vendor()).map_or("", |vendor| &vendor.name)
}

fn show(dictionary: &Dictionary, one: &Definition, style: &Style) -> String {
    let mut facts = Table::new(&[Column::whole(""), Column::whole(""), Column::text("")]);
    let mut fact = |name: &str, value: &str| {
        facts.row(["".into(), Cell::from(name), value.into()]);
    };
    fact("number", &one.number.to_string());
    if one.vendor() != 0 {
        fact("vendor", &format!("{} ({})", vendor_name(dictionary, one), one.vendor()));
    }
    fact("type", &one.kind.to_string());
    let flags = one.flags.to_string();
    if !flags.is_empty() {
        fact("flags", &flags);
    }
    if !one.is_sent() {
        fact("sent", "never: a server's own attribute");
    }
    fact("source", &one.source.to_string());
    let mut values = "values";
    for (value, name) in one.values() {
        fact(values, &format!("{value} {name}"));
        values = "";
    }
    format!("{}\n{}", style.paint(Colour::Strong, &plain(&one.name)), facts.show(style))
}

fn list(dictionary: &Dictionary, found: &[&Definition], style: &Style) -> String {
    let mut table = Table::new(&[
        Column::whole("NAME"),
        Column::whole("NUMBER"),
        Column::whole("TYPE"),
        Column::text("VENDOR"),
    ]);
    for one in found {
        table.row([
            Cell::from(&one.name),
            one.number.to_string().into(),
            one.kind.to_string().into(),
            vendor_name(dictionary, one).into(),
        ]);
    }
    table.show(style)
}

fn as_json(dictionary: &Dictionary, one: &Definition) -> Value {
    let vendor = dictionary.vendor(one.vendor());
    let flags = one.flags.to_string();
    let flags: Vec<&str> = flags.split(',').filter(|flag| !flag.is_empty()).collect();
    let values: Vec<Value> =
        one.values().map(|(value, name)| json!({ "value": value, "name": name })).collect();
    json!({
        "name": one.name,
        "number": one.number.to_string(),
        "vendor": vendor.map(|vendor| json!({ "name": vendor.name, "id": vendor.id })),
        "type": one.kind.to_string(),
        "flags": flags,
        "values": values,
        "source": { "file": &*one.source.file, "line": one.source.line },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(dictionary: &Dictionary, wanted: &str) -> Vec<String> {
        search(dictionary, wanted).iter().map(|one| one.name.to_string()).collect()
    }

    fn args(name: &str, dir: Option<&Path>) -> Args {
        Args { name: name.to_owned(), dir: dir.map(Path::to_owned), notes: false, json: false }
    }

    #[test]
    fn attributes_are_found_by_number_name_and_parts_of_names() {
        let dictionary = load(None).unwrap();
        assert_eq!(names(&dictionary, "26.14988.8"), ["Mikrotik-Rate-Limit"]);
        assert_eq!(names(&dictionary, "Attr-241.5.1"), ["IP-Port-Type"]);
        assert_eq!(names(&dictionary, "1"), ["User-Name"]);
        assert_eq!(names(&dictionary, "MIKROTIK-rate-limit"), ["Mikrotik-Rate-Limit"]);
        assert_eq!(
            names(&dictionary, "mikrotik-recv"),
            ["Mikrotik-Recv-Limit", "Mikrotik-Recv-Limit-Gigawords"]
        );
        // `Class` is a name of its own, and many begin with it.
        assert_eq!(names(&dictionary, "class"), ["Class"]);
        let inside = names(&dictionary, "rate-limit");
        let rates = ["Rate-Limit-Rate", "Rate-Limit-Burst", "Mikrotik-Rate-Limit"];
        assert_eq!(inside, rates, "those that begin with it first");
        assert_eq!(names(&dictionary, "26.55999"), ["Accel-VRF-Name"]);
        // An alias is one more name, not one more attribute.
        assert_eq!(names(&dictionary, "mikrotik-wireless-vlanid").len(), 1);
        assert_eq!(
            names(&dictionary, "mikrotik-wireless-vlanidt"),
            ["Mikrotik-Wireless-VLANID-Type"]
        );
        assert!(names(&dictionary, "26.14988.200").is_empty());
        assert!(names(&dictionary, "no such").is_empty());
    }

    #[test]
    fn one_attribute_is_told_whole() {
        let dictionary = load(None).unwrap();
        let one = search(&dictionary, "Mikrotik-Wireless-VLANID-Type")[0];
        let text = show(&dictionary, one, &Style::default());
        let (before, after) = text.split_once("source").unwrap();
        assert_eq!(
            before,
            "Mikrotik-Wireless-VLANID-Type\n  number  26.14988.27\n  \
             vendor  Mikrotik (14988)\n  type    integer\n  "
        );
        assert!(after.trim_start().starts_with("mikrotik:"), "{after}");
        assert!(after.contains("values  0 802.1q\n          1 802.1ad\n"), "{after}");
        let found = search(&dictionary, "mikrotik-recv");
        let text = list(&dictionary, &found, &Style::default());
        assert!(text.starts_with("NAME "), "{text}");
        assert!(text.contains("26.14988.14  integer  Mikrotik\n"), "{text}");
        let value = as_json(&dictionary, search(&dictionary, "Tunnel-Password")[0]);
        assert_eq!(value["flags"], json!(["has_tag", "encrypt=2"]));
        assert_eq!(value["vendor"], Value::Null);
        assert_eq!(value["source"]["file"], "rfc2868");
    }

    #[test]
    fn an_unknown_name_is_a_no_with_near_ones() {
        let failure = main(args("Mikrotik-Rat-Limti", None)).unwrap_err();
        assert_eq!(failure.code, NO);
        let text = failure.error.to_string();
        assert!(text.contains("there is Mikrotik-Rate-Limit"), "{text}");
        let failure = main(args("xyzzy-plugh-frobnicate", None)).unwrap_err();
        assert!(!failure.error.to_string().contains("there is"), "{}", failure.error);
        assert_eq!(main(args("User-Name", None)).unwrap(), DONE);
        assert_eq!(main(Args { json: true, ..args("Usr-Name", None) }).unwrap(), NO);
    }

    #[test]
    fn files_of_a_folder_come_on_top() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        put(
            "acme",
            "VENDOR Acme 4242\nBEGIN-VENDOR Acme\nATTRIBUTE Acme-A 1 byte\nEND-VENDOR Acme",
        );
        put("more", "ATTRIBUTE My-Rate 26.14988.8 string # \n");
        put(".hidden", "nonsense");
        let dictionary = load(Some(folder.path())).unwrap();
        assert_eq!(names(&dictionary, "acme-a"), ["Acme-A"]);
        assert_eq!(names(&dictionary, "26.14988.8"), ["My-Rate"]);
        assert_eq!(dictionary.notes().len(), 1);
        assert!(dictionary.notes()[0].text.contains("replaces Mikrotik-Rate-Limit"));

        // With a root, only what it includes; by paths relative to the including file.
        fs::create_dir(folder.path().join("sub")).unwrap();
        put("sub/one", "$INCLUDE two\n$INCLUDE- none");
        put("sub/two", "ATTRIBUTE Sub-Two 250 string");
        put("dictionary", "$INCLUDE sub/one");
        let dictionary = load(Some(folder.path())).unwrap();
        assert_eq!(names(&dictionary, "sub-two"), ["Sub-Two"]);
        assert!(dictionary.find("Acme-A").is_none());
        put("sub/two", "$INCLUDE ../sub/one");
        let failure = main(args("User-Name", Some(folder.path()))).unwrap_err();
        assert_eq!(failure.code, crate::exit::CANNOT_START);
        let text = daemon::exit::chain(&*failure.error);
        assert!(text.contains("sub/two:1: ") && text.contains("includes itself"), "{text}");

        let missing = main(args("User-Name", Some(&folder.path().join("none")))).unwrap_err();
        assert!(missing.error.to_string().starts_with("could not read"), "{}", missing.error);
    }
}
