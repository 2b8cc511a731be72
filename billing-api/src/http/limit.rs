//! How many requests a token and an address may make.
//!
//! A bucket each: a minute's worth at most, refilled evenly. The answers say how much is left
//! in the fields of draft-ietf-httpapi-ratelimit-headers-10. Buckets are in memory, a bounded
//! number of them; a full one says no more than none, so those are dropped first.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, HttpMessage, HttpRequest};
use model::{TokenId, Ts};

use super::{Problem, Web, peer};
use crate::domain::access::attempts::source;
use crate::domain::{Fault, Office};

/// Buckets in memory at most, some 60 octets each.
const BUCKETS_MAX: usize = 100_000;
/// What a bucket is refilled in, seconds.
const WINDOW_S: i64 = 60;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Whose {
    Token(TokenId),
    Address(String),
}

struct Bucket {
    /// Requests left, in millionths.
    left: i64,
    at: Ts,
}

/// How much is left, for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Left {
    policy: &'static str,
    quota: u32,
    remaining: i64,
    /// Seconds until the bucket is full again.
    full_s: i64,
}

/// The buckets.
#[derive(Default)]
pub(crate) struct Limits {
    /// Requests a minute per token; none: no limit.
    token: Option<u32>,
    /// Requests a minute per address; none: no limit.
    address: Option<u32>,
    buckets: Mutex<HashMap<Whose, Bucket>>,
}

impl Limits {
    /// With these numbers of requests a minute; 0 is no limit.
    pub(crate) fn new(token: u32, address: u32) -> Self {
        let limit = |n: u32| (n > 0).then_some(n);
        Self { token: limit(token), address: limit(address), ..Self::default() }
    }

    /// Takes one request of a token. Its own limit counts where it is the smaller.
    pub(super) fn take_token(
        &self,
        token: TokenId,
        own: Option<u32>,
        now: Ts,
    ) -> Result<Option<Left>, Refused> {
        let quota = own.into_iter().chain(self.token).min();
        self.take(Whose::Token(token), "token", quota, now)
    }

    /// Takes one request of an address.
    pub(super) fn take_address(&self, address: IpAddr, now: Ts) -> Result<Option<Left>, Refused> {
        self.take(Whose::Address(source(address)), "address", self.address, now)
    }

    fn take(
        &self,
        whose: Whose,
        policy: &'static str,
        quota: Option<u32>,
        now: Ts,
    ) -> Result<Option<Left>, Refused> {
        let Some(quota) = quota else { return Ok(None) };
        let full = i64::from(quota) * 1_000_000;
        // A panic elsewhere leaves numbers that are still numbers.
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= BUCKETS_MAX && !buckets.contains_key(&whose) {
            make_room(&mut buckets, now);
        }
        let bucket = buckets.entry(whose).or_insert(Bucket { left: full, at: now });
        // Both in microseconds and millionths: a second refills quota / 60 requests.
        let since = (now.0 - bucket.at.0).clamp(0, WINDOW_S * 1_000_000);
        bucket.left = (bucket.left + since * i64::from(quota) / WINDOW_S).min(full);
        bucket.at = now;
        let enough = bucket.left >= 1_000_000;
        if enough {
            bucket.left -= 1_000_000;
        }
        let seconds = |missing: i64| {
            let a_second = i64::from(quota) * 1_000_000 / WINDOW_S;
            missing.max(0).div_euclid(a_second.max(1)) + 1
        };
        let left = Left {
            policy,
            quota,
            remaining: bucket.left / 1_000_000,
            full_s: seconds(full - bucket.left),
        };
        if enough {
            return Ok(Some(left));
        }
        let retry_s = u32::try_from(seconds(1_000_000 - bucket.left)).unwrap_or(60);
        Err(Refused { left, retry_s })
    }
}

/// Nothing is left.
#[derive(Debug)]
pub(super) struct Refused {
    pub(super) left: Left,
    pub(super) retry_s: u32,
}

/// Drops the buckets that must be full by now, else all but the latest used half: whoever is
/// forgotten begins with a full one.
fn make_room(buckets: &mut HashMap<Whose, Bucket>, now: Ts) {
    buckets.retain(|_, bucket| now.since(bucket.at) < WINDOW_S as f64);
    if buckets.len() >= BUCKETS_MAX {
        let mut times: Vec<Ts> = buckets.values().map(|bucket| bucket.at).collect();
        let nth = times.len() / 2;
        let (_, middle, _) = times.select_nth_unstable(nth);
        let middle = *middle;
        buckets.retain(|_, bucket| bucket.at > middle);
    }
}

impl Left {
    /// Leaves it with the request, for its answer.
    pub(super) fn note(self, request: &HttpRequest) {
        request.extensions_mut().insert(self);
    }

    fn write(self, response: &mut ServiceResponse<impl MessageBody>) {
        let Self { policy, quota, remaining, full_s } = self;
        let fields = [
            ("ratelimit-policy", format!("\"{policy}\";q={quota};w={WINDOW_S}")),
            ("ratelimit", format!("\"{policy}\";r={remaining};t={full_s}")),
        ];
        for (name, value) in fields {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// Takes each request from its address's bucket, and says what is left. What comes from this
/// machine itself is not counted, unless a proxy passes it on.
pub(crate) async fn limit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let taken = take(request.request());
    let mut response = match taken {
        Ok(left) => {
            if let Some(left) = left {
                left.note(request.request());
            }
            next.call(request).await?.map_into_boxed_body()
        }
        Err(refused) => {
            refused.left.note(request.request());
            let fault = Fault::TooMany(refused.retry_s);
            if request.path().starts_with("/api/") {
                let problem = Problem::new(request.request(), fault);
                request.error_response(problem)
            } else {
                let failure = crate::console::failure(request.request(), fault);
                request.error_response(failure)
            }
        }
    };
    let left = response.request().extensions().get::<Left>().copied();
    if let Some(left) = left {
        left.write(&mut response);
    }
    Ok(response)
}

fn take(request: &HttpRequest) -> Result<Option<Left>, Refused> {
    let office = request.app_data::<Data<Office>>();
    let web = request.app_data::<Data<Web>>();
    let (Some(office), Some(web)) = (office, web) else { return Ok(None) };
    if is_exempt(request, web) {
        return Ok(None);
    }
    web.limits.take_address(peer::address(request, web), office.now())
}

/// Whether a request comes from this machine itself.
pub(super) fn is_exempt(request: &HttpRequest, web: &Web) -> bool {
    peer::address(request, web).is_loopback() && !peer::is_proxied(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Ts {
        Ts::from_seconds(1_800_000_000 + seconds)
    }

    #[test]
    fn a_bucket_empties_and_refills_evenly() {
        let limits = Limits::new(60, 0);
        let token = TokenId::generate();
        for n in (0..60).rev() {
            let left = limits.take_token(token, None, at(0)).unwrap().unwrap();
            assert_eq!(left.remaining, n);
        }
        let refused = limits.take_token(token, None, at(0)).unwrap_err();
        assert_eq!((refused.left.remaining, refused.retry_s), (0, 2));
        assert!(limits.take_token(token, None, at(1)).is_ok(), "one a second comes back");
        assert!(limits.take_token(token, None, at(1)).is_err());
        assert!(limits.take_token(TokenId::generate(), None, at(1)).is_ok(), "each has its own");
        let left = limits.take_token(token, None, at(1000)).unwrap().unwrap();
        assert_eq!(left.remaining, 59, "never more than a minute's worth");
        assert!(limits.take_token(token, None, at(0)).is_ok(), "a clock set back takes nothing");
        assert_eq!(limits.take_address([192, 0, 2, 1].into(), at(0)).unwrap(), None);
    }

    #[test]
    fn a_tokens_own_limit_counts_where_it_is_the_smaller() {
        let (token, quota) = (TokenId::generate(), |left: Option<Left>| left.map(|l| l.quota));
        let limits = Limits::new(60, 0);
        assert_eq!(quota(limits.take_token(token, Some(5), at(0)).unwrap()), Some(5));
        assert_eq!(quota(limits.take_token(token, Some(500), at(0)).unwrap()), Some(60));
        let open = Limits::default();
        assert!(open.take_token(token, Some(1), at(0)).is_ok());
        assert!(open.take_token(token, Some(1), at(1)).is_err(), "also where there is no other");
    }

    #[test]
    fn the_table_stays_within_its_size() {
        let limits = Limits::new(0, 10);
        for n in 0..BUCKETS_MAX as u32 + 5 {
            let _ = limits.take_address(IpAddr::from(n.to_be_bytes()), at(i64::from(n) / 5000));
        }
        let buckets = limits.buckets.lock().unwrap();
        assert!(buckets.len() <= BUCKETS_MAX);
    }
}
