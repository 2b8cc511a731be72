//! Signals become stops.

use std::io;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinHandle;
use tracing::{info, warn};

use super::{Shutdown, Trigger};

/// How long finishing may take unless a program says otherwise.
pub const GRACE: Duration = Duration::from_secs(30);

/// Turns the first SIGTERM or SIGINT into the soft stop, the second into the hard one, and
/// makes a soft stop hard when `grace` is over, whatever caused it.
///
/// Returns once the handlers are in place; the watching goes on in the runtime.
pub fn signals(trigger: Trigger, grace: Duration) -> io::Result<JoinHandle<()>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let shutdown = Shutdown { stop: trigger.0.clone(), started: Default::default() };
    Ok(tokio::spawn(async move {
        let over = async {
            shutdown.soft().await;
            tokio::time::sleep(grace).await;
        };
        tokio::pin!(over);
        while !shutdown.is_hard() {
            let name = tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
                _ = hangup.recv() => {
                    info!("SIGHUP is ignored: settings are read at start only");
                    continue;
                }
                () = &mut over => {
                    if !shutdown.is_hard() {
                        warn!(grace_s = grace.as_secs(), "not finished in time: ending now");
                        trigger.hard();
                    }
                    return;
                }
                () = shutdown.hard() => return,
            };
            if shutdown.is_soft() {
                warn!(signal = name, "second stop: ending now");
                trigger.hard();
            } else {
                info!(signal = name, grace_s = grace.as_secs(), "stopping");
                trigger.soft();
            }
        }
    }))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn send(signal: &str) {
        let kill = format!("kill -{signal} {}", std::process::id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    // One test, because signals reach every watcher of the process.
    #[tokio::test]
    async fn signals_stop_softly_then_hard() {
        let (trigger, shutdown) = Shutdown::new();
        let watcher = signals(trigger, Duration::from_secs(3600)).unwrap();
        send("HUP");
        send("TERM");
        shutdown.soft().await;
        assert!(!shutdown.is_hard());
        send("INT");
        shutdown.hard().await;
        watcher.await.unwrap();
    }

    #[tokio::test]
    async fn the_grace_period_makes_a_soft_stop_hard() {
        let (trigger, shutdown) = Shutdown::new();
        let watcher = signals(trigger.clone(), Duration::from_millis(1)).unwrap();
        trigger.soft();
        shutdown.hard().await;
        watcher.await.unwrap();
    }
}
