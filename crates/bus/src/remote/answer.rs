//! Reading Redis's answers. Bodies move out of the answer uncopied.

use bytes::Bytes;
use redis::Value;

use crate::{BusError, Entry};

/// What is under this key was not written by us.
pub(crate) fn foreign(key: &str) -> BusError {
    BusError::Foreign { key: key.to_owned() }
}

/// A number, sent as such or as text.
pub(crate) fn number(key: &str, answer: Value) -> Result<u64, BusError> {
    redis::from_redis_value(answer).map_err(|_| foreign(key))
}

/// A string of bytes, or nothing.
pub(crate) fn bytes(key: &str, answer: Value) -> Result<Option<Bytes>, BusError> {
    redis::from_redis_value(answer).map_err(|_| foreign(key))
}

/// The entries in an answer to XREAD for one stream: nothing, or `[[key, [entry, …]]]`, which
/// RESP3 sends as a map.
pub(crate) fn entries(key: &str, answer: Value) -> Result<Vec<Entry>, BusError> {
    let of_stream = match answer {
        Value::Nil => return Ok(Vec::new()),
        Value::Array(streams) => match single(streams) {
            Some(Value::Array(pair)) => <[Value; 2]>::try_from(pair).ok().map(|[_, list]| list),
            _ => None,
        },
        Value::Map(streams) => single(streams).map(|(_, list)| list),
        _ => None,
    };
    let Some(Value::Array(list)) = of_stream else { return Err(foreign(key)) };
    list.into_iter().map(|item| entry(item).ok_or_else(|| foreign(key))).collect()
}

/// `[id, ["b", body]]`.
fn entry(item: Value) -> Option<Entry> {
    let Value::Array(pair) = item else { return None };
    let [Value::BulkString(id), Value::Array(fields)] = <[Value; 2]>::try_from(pair).ok()? else {
        return None;
    };
    let [Value::BulkString(field), Value::BulkString(body)] =
        <[Value; 2]>::try_from(fields).ok()?
    else {
        return None;
    };
    let position = std::str::from_utf8(&id).ok()?.parse().ok()?;
    (field == b"b").then(|| Entry { position, body: Bytes::from(body) })
}

/// An answer to HSCAN: the next cursor, and keys and rows by turns.
pub(crate) fn scan(key: &str, answer: Value) -> Result<(u64, Vec<Value>), BusError> {
    let Value::Array(pair) = answer else { return Err(foreign(key)) };
    let Ok([cursor, Value::Array(flat)]) = <[Value; 2]>::try_from(pair) else {
        return Err(foreign(key));
    };
    Ok((number(key, cursor)?, flat))
}

fn single<T>(list: Vec<T>) -> Option<T> {
    let mut list = list.into_iter();
    let first = list.next()?;
    list.next().is_none().then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Position;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn item(id: &str, field: &str) -> Value {
        Value::Array(vec![bulk(id), Value::Array(vec![bulk(field), bulk("body")])])
    }

    #[test]
    fn both_protocols_give_the_same_entries() {
        let list = || Value::Array(vec![item("5-1", "b")]);
        let old = Value::Array(vec![Value::Array(vec![bulk("key"), list()])]);
        let new = Value::Map(vec![(bulk("key"), list())]);
        let expected = vec![Entry { position: Position { ms: 5, seq: 1 }, body: "body".into() }];
        assert_eq!(entries("key", old).unwrap(), expected);
        assert_eq!(entries("key", new).unwrap(), expected);
        assert_eq!(entries("key", Value::Nil).unwrap(), []);
    }

    #[test]
    fn an_entry_somebody_else_wrote_is_named_by_its_key() {
        for bad in [item("5-1", "other"), item("five", "b"), bulk("x"), Value::Array(vec![])] {
            let answer = Value::Map(vec![(bulk("key"), Value::Array(vec![bad]))]);
            let error = entries("key", answer).unwrap_err();
            assert!(matches!(error, BusError::Foreign { key } if key == "key"));
        }
    }
}
