//! A secret in the settings: the text itself, or a file that holds it.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::PathBuf;

use model::Secret;
use serde::de::{Error, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::HIDDEN;
use super::error::ConfigError;

/// Longest file a secret is read from.
const OCTETS_MAX: u64 = 64 * 1024;

/// `password = "…"`, or `password = { file = "/run/secrets/db" }`.
#[derive(Debug, Clone)]
pub enum SecretSource {
    /// The secret itself.
    Inline(Secret<String>),
    /// A file that holds nothing else; one line end after it is cut off.
    File(PathBuf),
}

impl SecretSource {
    /// The secret.
    pub fn load(&self) -> Result<Secret<String>, ConfigError> {
        let path = match self {
            Self::Inline(secret) => return Ok(secret.clone()),
            Self::File(path) => path,
        };
        let content = |problem| ConfigError::SecretContent { path: path.clone(), problem };
        // Room for the whole file at once: growing would leave copies behind in memory.
        let mut bytes = Vec::with_capacity(OCTETS_MAX as usize + 64);
        let read =
            File::open(path).and_then(|file| file.take(OCTETS_MAX + 1).read_to_end(&mut bytes));
        read.map_err(|source| ConfigError::SecretFile { path: path.clone(), source })?;
        let bytes = Secret::new(bytes);
        if bytes.expose().len() as u64 > OCTETS_MAX {
            return Err(content("is longer than 64 KiB"));
        }
        let text = std::str::from_utf8(bytes.expose()).map_err(|_| content("is not UTF-8"))?;
        let text = text.strip_suffix('\n').unwrap_or(text);
        let text = text.strip_suffix('\r').unwrap_or(text);
        if text.is_empty() {
            return Err(content("is empty"));
        }
        Ok(Secret::from(text))
    }
}

impl Serialize for SecretSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Inline(_) => serializer.serialize_str(HIDDEN),
            Self::File(path) => {
                let mut map = serializer.serialize_map(Some(1))?;
                map.serialize_entry("file", path)?;
                map.end()
            }
        }
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // Asked for as text, so that a variable `12345` stays text; a table still comes as one.
        deserializer.deserialize_str(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret as text, or { file = \"/path\" }")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<SecretSource, E> {
        match text {
            "" => Err(E::custom("a secret must not be empty")),
            // A printed configuration that is read back must not set this as the secret.
            HIDDEN => Err(E::custom("the secret itself is missing: `…` only stands for it")),
            text => Ok(SecretSource::Inline(Secret::from(text))),
        }
    }

    fn visit_string<E: Error>(self, text: String) -> Result<SecretSource, E> {
        let text = Secret::new(text);
        self.visit_str(text.expose())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretSource, A::Error> {
        let mut path = None;
        while let Some(Key::File) = map.next_key()? {
            path = Some(map.next_value()?);
        }
        path.map(SecretSource::File).ok_or_else(|| A::Error::missing_field("file"))
    }
}

#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "snake_case")]
enum Key {
    File,
}

#[cfg(test)]
mod tests {
    use super::super::{Source, load, print};
    use super::*;

    #[derive(Debug, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Config {
        password: SecretSource,
    }

    fn by_env(name: &str, value: &str) -> Result<Config, ConfigError> {
        let env = vec![(name.to_owned(), value.to_owned())];
        load(&Source { program: "aaad", env, ..Source::default() })
    }

    #[test]
    fn a_secret_is_text_or_a_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "s3cret\n").unwrap();
        let path = file.path().to_str().unwrap();
        for (name, value, secret) in [
            ("AAAD__PASSWORD", "s3cret", "s3cret"),
            ("AAAD__PASSWORD", "12345", "12345"),
            ("AAAD__PASSWORD__FILE", path, "s3cret"),
            ("AAAD__PASSWORD", &format!("{{ file = '{path}' }}"), "s3cret"),
        ] {
            let config = by_env(name, value).unwrap();
            assert!(config.password.load().unwrap().same_as(secret.as_bytes()), "{name}={value}");
        }
    }

    #[test]
    fn a_secret_never_shows() {
        let config = by_env("AAAD__PASSWORD", "s3cret").unwrap();
        assert!(!format!("{config:?}").contains("s3cret"));
        assert_eq!(print(&config).unwrap(), "password = \"…\"\n");
        let error = by_env("AAAD__PASSWORD", "…").unwrap_err().to_string();
        assert!(error.contains("`password`: the secret itself is missing"), "{error}");
        let list = by_env("AAAD__PASSWORD", "['s3cret']").unwrap_err().to_string();
        assert!(list.contains("found a list") && !list.contains("s3cret"), "{list}");
    }

    #[test]
    fn what_is_wrong_with_a_secret_is_said() {
        let error = by_env("AAAD__PASSWORD__FIEL", "/x").unwrap_err().to_string();
        assert!(error.ends_with("did you mean `password.file`?"), "{error}");
        let missing = SecretSource::File("/nowhere/secret".into()).load().unwrap_err();
        assert_eq!(missing.to_string(), "could not read the secret in /nowhere/secret");
        let file = tempfile::NamedTempFile::new().unwrap();
        let source = SecretSource::File(file.path().to_owned());
        assert!(source.load().unwrap_err().to_string().ends_with("is empty"));
        std::fs::write(file.path(), vec![b'x'; OCTETS_MAX as usize + 1]).unwrap();
        assert!(source.load().unwrap_err().to_string().ends_with("is longer than 64 KiB"));
        std::fs::write(file.path(), [0xff]).unwrap();
        assert!(source.load().unwrap_err().to_string().ends_with("is not UTF-8"));
    }
}
