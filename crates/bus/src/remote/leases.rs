//! Leases in Redis.

use std::sync::LazyLock;
use std::time::Duration;

use redis::{Script, Value};

use super::{Remote, answer};
use crate::BusError;

/// Renews or acquires. KEYS: the owner, the last token. ARGV: who asks, the time to live in
/// milliseconds. Tokens follow the server's clock, so that they go on rising after the last
/// token was lost with everything else.
static LEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "local holder = redis.call('GET', KEYS[1])
         if holder and holder ~= ARGV[1] then
           return false
         end
         local token = tonumber(redis.call('GET', KEYS[2]) or '0')
         if not holder or token == 0 then
           local clock = redis.call('TIME')
           local now_ms = tonumber(clock[1]) * 1000 + math.floor(tonumber(clock[2]) / 1000)
           token = math.max(token + 1, now_ms)
           redis.call('SET', KEYS[2], string.format('%.0f', token))
         end
         redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
         return token",
    )
});

/// Deletes the owner if it is the one who asks.
static RELEASE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        "if redis.call('GET', KEYS[1]) == ARGV[1] then
           redis.call('DEL', KEYS[1])
         end
         return 1",
    )
});

impl Remote {
    pub(crate) async fn lease(
        &self,
        name: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<u64>, BusError> {
        let key = self.key("lease", name);
        let mut script = LEASE.key(&key);
        script.key(format!("{key}:token")).arg(owner).arg(ttl.as_millis() as u64);
        match self.line.call("a lease", &script).await? {
            Value::Nil => Ok(None),
            token => answer::number(&key, token).map(Some),
        }
    }

    pub(crate) async fn release(&self, name: &str, owner: &str) -> Result<(), BusError> {
        let mut script = RELEASE.key(self.key("lease", name));
        script.arg(owner);
        self.line.call("the end of a lease", &script).await.map(drop)
    }
}
