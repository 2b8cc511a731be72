//! Typed settings from four layers, the later over the earlier: the defaults beside the fields,
//! the TOML file, environment variables, flags.
//!
//! - Tables are merged key by key; lists and plain values are replaced whole.
//! - A variable is the program's name in capitals with `-` as `_`, then the path, all joined by
//!   `__`: `AAAD__AUTH__LISTEN`, `BILLING_API__HTTP__LISTEN`. Its value is TOML where that
//!   reads, else plain text. Where text is wanted, text it stays (`AAAD__X=12345`), and where a
//!   list is wanted it may be written with commas.
//! - A key nobody knows is an error that names it, where it came from, and what was meant.

mod de;
mod error;
mod layer;
mod secret;
mod suggest;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

pub use error::{ConfigError, Origin};
pub use secret::SecretSource;

use layer::{Node, Tree};

/// Shown in place of a secret.
const HIDDEN: &str = "…";

/// Where the settings of a program come from.
#[derive(Debug, Clone, Default)]
pub struct Source {
    /// The program: `aaad`.
    pub program: &'static str,
    /// The TOML file, if any; then it must exist.
    pub file: Option<PathBuf>,
    /// Environment variables; others than this program's are passed over.
    pub env: Vec<(String, String)>,
    /// Dotted path and value: `auth.listen`.
    pub flags: Vec<(String, toml::Value)>,
}

impl Source {
    /// A file and this process's environment, without flags.
    pub fn new(program: &'static str, file: Option<PathBuf>) -> Result<Self, ConfigError> {
        Ok(Self { program, file, env: process_env(program)?, flags: Vec::new() })
    }
}

/// What all variables of a program begin with: `BILLING_API__`.
fn env_prefix(program: &str) -> String {
    format!("{}__", program.to_ascii_uppercase().replace('-', "_"))
}

/// The variables of this process that belong to the program.
fn process_env(program: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let prefix = env_prefix(program);
    std::env::vars_os()
        .filter(|(name, _)| name.as_encoded_bytes().starts_with(prefix.as_bytes()))
        .map(|(name, value)| match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => Ok((name, value)),
            (Ok(name), Err(_)) => Err(ConfigError::NotUnicode { name }),
            (Err(name), _) => {
                Err(ConfigError::NotUnicode { name: name.to_string_lossy().into_owned() })
            }
        })
        .collect()
}

/// Reads the layers into the program's settings.
pub fn load<T: DeserializeOwned>(source: &Source) -> Result<T, ConfigError> {
    let mut tree = match &source.file {
        Some(path) => read_file(path)?,
        None => BTreeMap::new(),
    };
    let prefix = env_prefix(source.program);
    for (name, value) in &source.env {
        let Some(rest) = name.strip_prefix(&prefix) else { continue };
        let path: Vec<String> = rest.split("__").map(str::to_ascii_lowercase).collect();
        if path.iter().any(String::is_empty) {
            return Err(ConfigError::EnvName { name: name.clone() });
        }
        let origin = Origin::Env(name.clone());
        layer::set(&mut tree, &path, Node::from_text(value.trim(), &origin));
    }
    for (key, value) in &source.flags {
        let path: Vec<String> = key.split('.').map(str::to_owned).collect();
        if path.iter().any(String::is_empty) {
            return Err(ConfigError::FlagName { key: key.clone() });
        }
        layer::set(&mut tree, &path, Node::from_flag(value, &Origin::Flag));
    }
    T::deserialize(de::Root(tree)).map_err(|error| error.into_config_error(&prefix))
}

fn read_file(path: &PathBuf) -> Result<Tree, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.clone(), source })?;
    layer::parse(&text, &Arc::from(path.as_path()))
}

/// The text of a flag or variable as a value: TOML where it reads as such, else text.
pub fn value_of(text: &str) -> toml::Value {
    layer::parse_value(text).unwrap_or_else(|| toml::Value::String(text.to_owned()))
}

/// The effective settings as TOML. Secrets show as `…`: give each field that may hold one
/// [`SecretSource`], [`hidden`] or [`hidden_in_url`].
pub fn print<T: Serialize>(config: &T) -> Result<String, ConfigError> {
    toml::to_string_pretty(config).map_err(|source| ConfigError::Print { source })
}

/// For `#[serde(serialize_with = "daemon::config::hidden")]`: shows `…` whatever the value is.
pub fn hidden<T, S: Serializer>(_: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(HIDDEN)
}

/// For `#[serde(serialize_with = "daemon::config::hidden_in_url")]`: shows the URL with `…` for
/// its password.
pub fn hidden_in_url<S: Serializer>(url: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&without_password(url))
}

fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.split('/').next().unwrap_or(rest);
    // The last `@` ends the user part: a password may hold others, wrongly but in practice.
    let Some((user, _)) = authority.rsplit_once('@') else { return url.to_owned() };
    let Some((name, _)) = user.split_once(':') else { return url.to_owned() };
    format!("{scheme}://{name}:{HIDDEN}{}", &rest[user.len()..])
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::path::Path;

    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Settings {
        name: String,
        auth: Auth,
        store: Store,
        device: Vec<Device>,
        admin: Option<SocketAddr>,
    }

    impl Default for Settings {
        fn default() -> Self {
            Self {
                name: "n1".to_owned(),
                auth: Auth::default(),
                store: Store::Sqlite,
                device: Vec::new(),
                admin: None,
            }
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct Auth {
        listen: Vec<SocketAddr>,
        shards: u16,
        fold_case: bool,
    }

    impl Default for Auth {
        fn default() -> Self {
            let listen = vec![SocketAddr::from(([0, 0, 0, 0], 1812))];
            Self { listen, shards: 0, fold_case: true }
        }
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Store {
        Sqlite,
        Postgres { url: String },
    }

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Device {
        host: String,
    }

    fn with_file(text: &str) -> (tempfile::NamedTempFile, Source) {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let source =
            Source { program: "aaad", file: Some(file.path().to_owned()), ..Source::default() };
        (file, source)
    }

    fn env(pairs: &[(&str, &str)]) -> Source {
        let env = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Source { program: "aaad", env, ..Source::default() }
    }

    fn flags(pairs: &[(&str, &str)]) -> Source {
        let flags = pairs.iter().map(|(k, v)| ((*k).to_owned(), value_of(v))).collect();
        Source { program: "aaad", flags, ..Source::default() }
    }

    fn refused(source: &Source) -> String {
        crate::exit::chain(&load::<Settings>(source).unwrap_err())
    }

    fn at(path: &Path, rest: &str) -> String {
        format!("{}{rest}", path.display())
    }

    #[test]
    fn without_any_layer_the_defaults_stand() {
        assert_eq!(load::<Settings>(&env(&[])).unwrap(), Settings::default());
    }

    #[test]
    fn a_later_layer_wins_key_by_key() {
        let (_file, mut source) = with_file(
            "name = 'file'\n[auth]\nshards = 2\nlisten = ['127.0.0.1:1']\nfold_case = false\n",
        );
        source.env = env(&[
            ("AAAD__AUTH__SHARDS", "3"),
            ("AAAD__NAME", "env"),
            ("AAAD_OTHER", "not ours"),
            ("PATH", "/bin"),
        ])
        .env;
        source.flags = flags(&[("auth.shards", "4")]).flags;
        let settings: Settings = load(&source).unwrap();
        assert_eq!(settings.name, "env");
        assert_eq!(settings.auth.shards, 4);
        assert_eq!(settings.auth.listen, ["127.0.0.1:1".parse().unwrap()]);
        assert!(!settings.auth.fold_case);
    }

    #[test]
    fn variables_read_as_what_the_field_wants() {
        let listen = ["127.0.0.1:1812".parse().unwrap(), "[::1]:1812".parse().unwrap()];
        for text in ["127.0.0.1:1812, [::1]:1812", "['127.0.0.1:1812', '[::1]:1812']"] {
            let source = env(&[
                ("AAAD__AUTH__LISTEN", text),
                ("AAAD__NAME", "007"),
                ("AAAD__AUTH__FOLD_CASE", "false"),
                ("AAAD__STORE__POSTGRES__URL", "postgres://db/x"),
                ("AAAD__DEVICE", "[{ host = 'a' }, { host = 'b' }]"),
                ("AAAD__ADMIN", "127.0.0.1:9100"),
            ]);
            let settings: Settings = load(&source).unwrap();
            assert_eq!(settings.auth.listen, listen);
            assert_eq!(settings.name, "007");
            assert!(!settings.auth.fold_case);
            assert_eq!(settings.store, Store::Postgres { url: "postgres://db/x".to_owned() });
            assert_eq!(settings.device.len(), 2);
            assert!(settings.admin.is_some());
        }
        let number: Settings = load(&env(&[("AAAD__NAME", "12345")])).unwrap();
        assert_eq!(number.name, "12345");
        let quoted: Settings = load(&flags(&[("name", "\"a, b\"")])).unwrap();
        assert_eq!(quoted.name, "a, b");
        let none: Settings = load(&env(&[("AAAD__AUTH__LISTEN", "")])).unwrap();
        assert!(none.auth.listen.is_empty());
    }

    #[test]
    fn a_dash_in_the_program_is_an_underscore_in_its_variables() {
        let mut source = env(&[("BILLING_API__NAME", "b")]);
        source.program = "billing-api";
        assert_eq!(load::<Settings>(&source).unwrap().name, "b");
    }

    #[test]
    fn an_unknown_key_in_the_file_is_named_with_its_line() {
        let (file, source) = with_file("name = 'x'\n\n[auth]\nlisen = []\n");
        let wanted = ":4: unknown key `auth.lisen`, did you mean `auth.listen`?";
        assert_eq!(refused(&source), at(file.path(), wanted));
        let (file, source) = with_file("name = 'x'\n[zebra]\na = 1\n");
        assert_eq!(refused(&source), at(file.path(), ":2: unknown key `zebra`"));
        let (file, source) =
            with_file("[[device]]\nhost = 'a'\n[[device]]\nhost = 'b'\nhots = 1\n");
        let wanted = ":5: unknown key `device[1].hots`, did you mean `device[1].host`?";
        assert_eq!(refused(&source), at(file.path(), wanted));
    }

    #[test]
    fn an_unknown_key_in_the_environment_is_named_with_its_variable() {
        assert_eq!(
            refused(&env(&[("AAAD__AUTH__SHARD", "1")])),
            "environment variable AAAD__AUTH__SHARD: unknown key `auth.shard`, did you mean \
             `auth.shards`?"
        );
        assert_eq!(
            refused(&env(&[("AAAD__AUHT__SHARDS", "1")])),
            "environment variable AAAD__AUHT__SHARDS: unknown key `auht`, did you mean `auth`?"
        );
        assert_eq!(
            refused(&env(&[("AAAD__AUTH____SHARDS", "1")])),
            "environment variable AAAD__AUTH____SHARDS names no key"
        );
    }

    #[test]
    fn an_unknown_key_in_a_flag_is_named() {
        assert_eq!(
            refused(&flags(&[("auth.fold-case", "true")])),
            "flag: unknown key `auth.fold-case`, did you mean `auth.fold_case`?"
        );
        assert_eq!(refused(&flags(&[("auth..x", "1")])), "flag `auth..x` names no key");
    }

    #[test]
    fn a_wrong_value_is_one_line_with_key_and_place() {
        let (file, source) = with_file("[auth]\nshards = 70000\n");
        let wanted = ":2: `auth.shards`: expected u16, found 70000";
        assert_eq!(refused(&source), at(file.path(), wanted));
        let (file, source) = with_file("[auth]\nlisten = ['127.0.0.1:1',\n 'nowhere']\n");
        let wanted = ":3: `auth.listen[1]`: invalid socket address syntax";
        assert_eq!(refused(&source), at(file.path(), wanted));
        assert_eq!(
            refused(&env(&[("AAAD__AUTH__FOLD_CASE", "perhaps")])),
            "environment variable AAAD__AUTH__FOLD_CASE: `auth.fold_case`: expected a boolean, \
             found text"
        );
        assert_eq!(
            refused(&env(&[("AAAD__STORE", "sqlit")])),
            "environment variable AAAD__STORE: `store`: unknown word `sqlit`, did you mean \
             `sqlite`? Known are sqlite, postgres"
        );
        let (file, source) = with_file("device = [{}]");
        assert_eq!(refused(&source), at(file.path(), ":1: `device[0].host` is missing"));
    }

    #[test]
    fn a_required_key_that_nobody_set_says_how_to_set_it() {
        #[derive(Debug, Deserialize)]
        struct Required {
            #[expect(dead_code, reason = "never read, because it is never given")]
            url: String,
        }
        let error = load::<Required>(&env(&[])).unwrap_err();
        assert_eq!(error.to_string(), "`url` is missing: set it in the file or by AAAD__URL");
    }

    #[test]
    fn broken_and_missing_files_are_one_line() {
        let (file, source) = with_file("name = 'x'\nauth = [\n");
        let text = refused(&source);
        assert!(text.starts_with(&at(file.path(), ":")) && !text.contains('\n'), "{text}");
        let source =
            Source { program: "aaad", file: Some("/nowhere/x.toml".into()), ..Source::default() };
        assert_eq!(
            refused(&source),
            "could not read /nowhere/x.toml: No such file or directory (os error 2)"
        );
    }

    #[test]
    fn the_printed_settings_read_back() {
        let settings = Settings {
            store: Store::Postgres { url: "u".to_owned() },
            device: vec![Device { host: "h".to_owned() }],
            admin: Some("127.0.0.1:9".parse().unwrap()),
            ..Settings::default()
        };
        let (_file, source) = with_file(&print(&settings).unwrap());
        assert_eq!(load::<Settings>(&source).unwrap(), settings);
    }

    #[test]
    fn secrets_are_not_printed() {
        #[derive(Serialize)]
        struct Config {
            #[serde(serialize_with = "hidden")]
            token: &'static str,
            #[serde(serialize_with = "hidden_in_url")]
            redis: &'static str,
        }
        let config = Config { token: "s3cret", redis: "redis://:s3cret@db:6379/0" };
        let text = print(&config).unwrap();
        assert_eq!(text, "token = \"…\"\nredis = \"redis://:…@db:6379/0\"\n");
        for plain in ["redis://db/", "redis://user@db/", "/a:b@c", "redis://db/a:b@c"] {
            assert_eq!(without_password(plain), plain);
        }
        assert_eq!(without_password("x://u:p@ss@h"), "x://u:…@h");
    }
}
