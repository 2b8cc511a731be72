//! Streams in Redis.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use redis::{ErrorKind, Script, ServerErrorKind, Value};

use super::{Remote, answer};
use crate::{BusError, Entry, Position};

/// One append travels in chunks of at most so many entries and bytes, for the server runs each
/// chunk in one go while everybody else waits. A larger entry goes alone.
const CHUNK_ENTRIES: usize = 512;
const CHUNK_OCTETS: usize = 1 << 20;

/// Checks the bound and appends in one step, so that the bound is exact with any number of
/// writers and costs no further round trip. ARGV: the bound, how many entries are still to
/// come with this chunk, the chunk.
static APPEND: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('XLEN', KEYS[1]) + tonumber(ARGV[2]) > tonumber(ARGV[1]) then
           return 0
         end
         for i = 3, #ARGV do
           redis.call('XADD', KEYS[1], '*', 'b', ARGV[i])
         end
         return 1",
    )
});

impl Remote {
    pub(crate) async fn append(
        &self,
        stream: &str,
        entries: &[Bytes],
        entries_max: usize,
    ) -> Result<(), BusError> {
        let key = self.key("stream", stream);
        let mut rest = entries;
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at(chunk_len(rest));
            let mut script = APPEND.key(&key);
            script.arg(entries_max).arg(rest.len());
            for body in chunk {
                script.arg(body.as_ref());
            }
            let written = self.line.call("XADD", &script).await?;
            if answer::number(&key, written)? == 0 {
                return Err(BusError::Full { stream: stream.to_owned(), entries_max });
            }
            rest = behind;
        }
        Ok(())
    }

    pub(crate) async fn read(
        &self,
        stream: &str,
        after: Position,
        max: usize,
        wait: Duration,
    ) -> Result<Vec<Entry>, BusError> {
        let key = self.key("stream", stream);
        let build = |block: Option<Duration>| {
            let mut command = redis::cmd("XREAD");
            command.arg("COUNT").arg(max);
            if let Some(block) = block {
                // BLOCK 0 would wait for ever.
                command.arg("BLOCK").arg((block.as_millis() as u64).max(1));
            }
            command.arg("STREAMS").arg(&key).arg(after.to_string());
            command
        };
        let found = if wait.is_zero() {
            self.line.call("XREAD", &build(None)).await?
        } else {
            self.line.call_blocking("XREAD", wait, |left| build(Some(left))).await?
        };
        answer::entries(&key, found)
    }

    pub(crate) async fn end(&self, stream: &str) -> Result<Position, BusError> {
        let key = self.key("stream", stream);
        let mut command = redis::cmd("XINFO");
        command.arg("STREAM").arg(&key);
        let info = match self.line.call("XINFO", &command).await {
            // A stream nobody has appended to.
            Err(BusError::Refused { source, .. }) if is_no_such_key(&*source) => {
                return Ok(Position::START);
            }
            info => info?,
        };
        let pairs = match info {
            Value::Array(flat) => pairs(flat),
            Value::Map(pairs) => pairs,
            _ => return Err(answer::foreign(&key)),
        };
        // Other than the newest entry, this is still there when everything was trimmed.
        pairs
            .into_iter()
            .find(|(name, _)| *name == Value::BulkString(b"last-generated-id".to_vec()))
            .and_then(|(_, id)| redis::from_redis_value::<String>(id).ok()?.parse().ok())
            .ok_or_else(|| answer::foreign(&key))
    }

    pub(crate) async fn trim(&self, stream: &str, through: Position) -> Result<(), BusError> {
        let mut command = redis::cmd("XTRIM");
        command.arg(self.key("stream", stream)).arg("MINID").arg("=");
        command.arg(through.next().to_string());
        self.line.call("XTRIM", &command).await.map(drop)
    }

    pub(crate) async fn len(&self, stream: &str) -> Result<u64, BusError> {
        let key = self.key("stream", stream);
        let mut command = redis::cmd("XLEN");
        command.arg(&key);
        answer::number(&key, self.line.call("XLEN", &command).await?)
    }
}

/// How many of these entries go in the next chunk: at least one.
fn chunk_len(entries: &[Bytes]) -> usize {
    let mut octets = 0;
    let fitting = entries.iter().take(CHUNK_ENTRIES).take_while(|body| {
        octets += body.len();
        octets <= CHUNK_OCTETS
    });
    fitting.count().max(1)
}

fn pairs(flat: Vec<Value>) -> Vec<(Value, Value)> {
    let mut flat = flat.into_iter();
    std::iter::from_fn(|| Some((flat.next()?, flat.next()?))).collect()
}

fn is_no_such_key(source: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    source.downcast_ref::<redis::RedisError>().is_some_and(|error| {
        error.kind() == ErrorKind::Server(ServerErrorKind::ResponseError)
            && error.detail().is_some_and(|detail| detail.contains("no such key"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_bounded_in_entries_and_in_octets() {
        let small = vec![Bytes::from_static(b"x"); CHUNK_ENTRIES + 1];
        assert_eq!(chunk_len(&small), CHUNK_ENTRIES);
        assert_eq!(chunk_len(&small[..3]), 3);
        let half = Bytes::from(vec![0; CHUNK_OCTETS / 2]);
        assert_eq!(chunk_len(&[half.clone(), half.clone(), half]), 2);
        let huge = Bytes::from(vec![0; CHUNK_OCTETS + 1]);
        assert_eq!(chunk_len(&[huge.clone(), huge]), 1);
    }
}
