//! Snapshot tables in Redis: hashes, spread over shards so that no key grows without end and a
//! cluster can share them out.

use bytes::Bytes;
use redis::Value;

use super::{Remote, answer};
use crate::BusError;

/// Part of the stored format: another number would look for rows where they are not.
const SHARDS: u64 = 64;

/// One put travels in pipelines of at most so many rows and bytes.
const CHUNK_ROWS: usize = 512;
const CHUNK_OCTETS: usize = 1 << 20;

impl Remote {
    fn shard_key(&self, table: &str, shard: u64) -> String {
        self.key("table", &format!("{table}:{shard:02}"))
    }

    fn mark_key(&self, table: &str) -> String {
        self.key("table", &format!("{table}:mark"))
    }

    pub(crate) async fn put(
        &self,
        table: &str,
        rows: &[(String, Option<Bytes>)],
    ) -> Result<(), BusError> {
        let mut rest = rows.iter().peekable();
        while rest.peek().is_some() {
            let mut pipeline = redis::pipe();
            let mut octets = 0;
            while pipeline.len() < CHUNK_ROWS && octets < CHUNK_OCTETS {
                let Some((key, row)) = rest.next() else { break };
                let shard = self.shard_key(table, shard(key));
                octets += key.len() + row.as_ref().map_or(0, Bytes::len);
                match row {
                    Some(row) => pipeline.cmd("HSET").arg(shard).arg(key).arg(row.as_ref()),
                    None => pipeline.cmd("HDEL").arg(shard).arg(key),
                };
            }
            self.line.call("HSET", &pipeline).await?;
        }
        Ok(())
    }

    pub(crate) async fn load(
        &self,
        table: &str,
        sink: &mut (dyn FnMut(&str, &[u8]) + Send),
    ) -> Result<u64, BusError> {
        let mut handed_over = 0;
        for shard in 0..SHARDS {
            let shard = self.shard_key(table, shard);
            let mut cursor = 0;
            loop {
                let mut command = redis::cmd("HSCAN");
                command.arg(&shard).arg(cursor).arg("COUNT").arg(CHUNK_ROWS);
                let found = self.line.call("HSCAN", &command).await?;
                let (next, flat) = answer::scan(&shard, found)?;
                for pair in flat.chunks(2) {
                    let [Value::BulkString(key), Value::BulkString(row)] = pair else {
                        return Err(answer::foreign(&shard));
                    };
                    let key = std::str::from_utf8(key).map_err(|_| answer::foreign(&shard))?;
                    sink(key, row);
                    handed_over += 1;
                }
                cursor = next;
                if cursor == 0 {
                    break;
                }
            }
        }
        Ok(handed_over)
    }

    pub(crate) async fn clear(&self, table: &str) -> Result<(), BusError> {
        // The mark first: rows without a mark are an unfinished snapshot, a mark without rows
        // would be a lie.
        let mut pipeline = redis::pipe();
        pipeline.cmd("UNLINK").arg(self.mark_key(table));
        for shard in 0..SHARDS {
            pipeline.cmd("UNLINK").arg(self.shard_key(table, shard));
        }
        self.line.call("UNLINK", &pipeline).await.map(drop)
    }

    pub(crate) async fn set_mark(&self, table: &str, mark: &[u8]) -> Result<(), BusError> {
        let mut command = redis::cmd("SET");
        command.arg(self.mark_key(table)).arg(mark);
        self.line.call("SET", &command).await.map(drop)
    }

    pub(crate) async fn mark(&self, table: &str) -> Result<Option<Bytes>, BusError> {
        let key = self.mark_key(table);
        let mut command = redis::cmd("GET");
        command.arg(&key);
        answer::bytes(&key, self.line.call("GET", &command).await?)
    }
}

/// The shard of a row: 64-bit FNV-1a, folded. Part of the stored format, like [`SHARDS`].
fn shard(key: &str) -> u64 {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    (hash ^ (hash >> 32)) % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_of_a_key_never_changes() {
        let shards = ["", "a", "svc_01", "alice@example.net"].map(shard);
        assert_eq!(shards, SHARDS_OF_THE_FIRST_RELEASE);
    }

    /// What rows in running installations were filed under.
    const SHARDS_OF_THE_FIRST_RELEASE: [u64; 4] = [1, 0, 49, 52];

    #[test]
    fn keys_spread_over_all_shards() {
        let mut rows = [0; SHARDS as usize];
        for n in 0..6_400 {
            rows[shard(&format!("svc_{n:05}")) as usize] += 1;
        }
        assert!(rows.iter().all(|count| (40..200).contains(count)), "{rows:?}");
    }
}
