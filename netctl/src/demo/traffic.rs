//! Keeps the demo's subscribers online: they log in, use what they bought, mistype passwords,
//! and hang up.

use std::sync::Arc;
use std::time::Duration;

use daemon::lifecycle::Shutdown;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use super::plan::{Demo, Subscriber};
use crate::chance::Chance;
use crate::nas_sim::rate::Rates;
use crate::nas_sim::{Cause, Login, NasSim, SessionHandle, SimError, Subscriber as Caller};

/// Between two interim updates: far more often than a real NAS, so that charts move.
const INTERIM: Duration = Duration::from_secs(20);
/// Login attempts with a wrong password before the right one.
const MISTYPED: f64 = 0.08;
/// Time for the Stops when the demo ends.
const CLOSING: Duration = Duration::from_secs(3);

/// The demo's subscribers.
pub(crate) struct Traffic {
    nas: Arc<NasSim>,
    subscribers: Vec<Subscriber>,
    stop: Shutdown,
}

impl Traffic {
    /// The subscribers of a demo, behind a NAS.
    pub(crate) fn new(nas: NasSim, demo: &Demo, stop: Shutdown) -> Self {
        Self { nas: Arc::new(nas), subscribers: demo.subscribers.clone(), stop }
    }

    /// Lives until the soft stop; then everybody is hung up properly.
    pub(crate) async fn run(self) -> Result<(), std::convert::Infallible> {
        // What an earlier start left open is over; a server that misses this finds out later.
        tokio::select! {
            said = self.nas.accounting_on() => note(said),
            () = self.stop.soft() => return Ok(()),
        }
        let mut lives = JoinSet::new();
        // One task each: as many as the town has services.
        for (n, subscriber) in self.subscribers.into_iter().enumerate() {
            let life = Life {
                nas: self.nas.clone(),
                chance: Chance::new(),
                // Some leave their router on all day.
                constant: n % 3 == 0,
                subscriber,
            };
            lives.spawn(life.run());
        }
        self.stop.soft().await;
        lives.shutdown().await;
        if let Some(nas) = Arc::into_inner(self.nas) {
            nas.close(CLOSING).await;
        }
        Ok(())
    }
}

/// One subscriber's router.
struct Life {
    nas: Arc<NasSim>,
    chance: Chance,
    constant: bool,
    subscriber: Subscriber,
}

impl Life {
    async fn run(mut self) {
        sleep(self.chance.seconds(0.0, 15.0)).await;
        loop {
            if self.chance.one_in(MISTYPED) {
                self.login(true).await;
                sleep(self.chance.seconds(2.0, 6.0)).await;
            }
            if let Some(session) = self.login(false).await {
                self.online(session).await;
            }
            sleep(self.chance.seconds(10.0, 60.0)).await;
        }
    }

    async fn login(&mut self, mistyped: bool) -> Option<SessionHandle> {
        let Subscriber { login, password, method, mac, .. } = &self.subscriber;
        let password = if mistyped { format!("{password}x") } else { password.clone() };
        let caller = Caller {
            login: login.clone(),
            password: password.into(),
            method: (*method).into(),
            station: mac.clone(),
        };
        match self.nas.login(&caller).await {
            Ok(Login::Accepted(session)) => Some(session),
            Ok(Login::Rejected(why)) => {
                debug!(login, mistyped, why, "the demo's login was refused");
                None
            }
            Err(error) => {
                note(Err(error));
                None
            }
        }
    }

    /// From the login to the end of the session, by whoever's hand.
    async fn online(&mut self, mut session: SessionHandle) {
        let length = match self.constant {
            true => self.chance.seconds(3600.0, 14_400.0),
            false => self.chance.seconds(180.0, 1200.0),
        };
        let hang_up = Instant::now() + length;
        let mut last = Instant::now();
        loop {
            let next = INTERIM + self.chance.seconds(0.0, 4.0);
            tokio::select! {
                () = session.ended() => return,
                () = tokio::time::sleep_until(hang_up.min(last + next)) => {}
            }
            let passed = last.elapsed().as_secs_f64();
            last = Instant::now();
            let Some(rates) = self.nas.session(&session.id).map(|session| session.rates) else {
                return;
            };
            let (download, upload) = used(rates, passed, &mut self.chance);
            // It may end at any moment, which the next turn notices.
            let _ = self.nas.transfer(&session.id, download, upload);
            if Instant::now() >= hang_up {
                note(self.nas.logout(&session.id, Cause::UserRequest).await);
                return;
            }
            note(self.nas.interim(&session.id).await);
        }
    }
}

/// What a household uses in that time: mostly little, sometimes a film, rarely all there is.
fn used(rates: Rates, seconds: f64, chance: &mut Chance) -> (u64, u64) {
    let share = match chance.fraction() {
        idle if idle < 0.35 => chance.between(0.0002, 0.004),
        browsing if browsing < 0.75 => chance.between(0.01, 0.08),
        film if film < 0.96 => chance.between(0.15, 0.45),
        _ => chance.between(0.7, 0.98),
    };
    // Without a limit, a line of 100 Mbit/s.
    let octets = |bps: Option<u64>, share: f64| {
        (bps.unwrap_or(100_000_000) as f64 / 8.0 * seconds * share) as u64
    };
    let upload = share * chance.between(0.05, 0.3);
    (octets(rates.download_bps, share), octets(rates.upload_bps, upload))
}

/// A server that is stopping, or was stopped by whoever tries the demo, is no fault of ours.
fn note(result: Result<(), SimError>) {
    match result {
        Ok(()) | Err(SimError::NoSession(_)) => {}
        Err(error) => warn!(error = daemon::exit::chain(&error), "the demo's NAS was not heard"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_uses_more_than_was_bought() {
        let mut chance = Chance::seeded(3);
        let rates = Rates { download_bps: Some(50_000_000), upload_bps: Some(20_000_000) };
        let (mut least, mut most) = (u64::MAX, 0);
        for _ in 0..2000 {
            let (download, upload) = used(rates, 20.0, &mut chance);
            assert!(download <= 125_000_000 && upload <= 50_000_000);
            least = least.min(download);
            most = most.max(download);
        }
        assert!(least < 500_000 && most > 87_000_000, "{least} {most}");
    }
}
