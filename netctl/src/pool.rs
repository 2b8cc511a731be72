//! `netctl pool`: the address pools that aaad leases from.

use std::net::IpAddr;

use model::control::{PoolHolders, PoolListing, PoolWhoQuery};
use model::pool::Part;
use model::{Clock, SystemClock, Ts};

use crate::ask::Ask;
use crate::exit::{DONE, Ended, NO, put, put_json};
use crate::output::{Cell, Colour, Column, Style, Table, span};

/// What to ask of them.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Verb {
    /// How full each pool is
    List {
        #[command(flatten)]
        ask: Ask,
    },
    /// Who has an address, or had it last; or what a login has
    Who {
        /// The address (of a prefix, any in it), or the login
        #[arg(value_name = "ADDRESS|LOGIN")]
        who: String,

        #[command(flatten)]
        ask: Ask,
    },
}

/// Asks.
pub(crate) async fn main(verb: Verb) -> Ended {
    match verb {
        Verb::List { ask } => {
            let answer: PoolListing = ask.call("aaad", "pools", &()).await?;
            if ask.json {
                put_json(&answer)?;
            } else {
                put(&list(&answer, &Style::of_stdout()))?;
            }
            Ok(DONE)
        }
        Verb::Who { who, ask } => {
            let query = match who.parse::<IpAddr>() {
                Ok(address) => PoolWhoQuery { address: Some(address), login: None },
                Err(_) => PoolWhoQuery { address: None, login: Some(who.clone()) },
            };
            let answer: PoolHolders = ask.call("aaad", "pool_who", &query).await?;
            if ask.json {
                put_json(&answer)?;
            } else if answer.holders.is_empty() && query.address.is_some() {
                eprintln!("netctl: {who} is of no pool");
            } else if answer.holders.is_empty() {
                eprintln!("netctl: {who} has no address of a pool, and had none");
            } else {
                put(&holders(&answer, SystemClock.now(), &Style::of_stdout()))?;
            }
            Ok(if answer.holders.is_empty() { NO } else { DONE })
        }
    }
}

fn part(part: Part) -> &'static str {
    match part {
        Part::Ipv4 => "IPv4",
        Part::Ipv6 => "IPv6",
        Part::Delegated => "delegated",
    }
}

fn list(answer: &PoolListing, style: &Style) -> String {
    if answer.pools.is_empty() {
        return "There are no address pools.\n".to_owned();
    }
    let mut table = Table::new(&[
        Column::text("POOL"),
        Column::whole("PART"),
        Column::number("TAKEN"),
        Column::number("USED"),
        Column::number("OFFERED"),
        Column::number("RESTING"),
        Column::number("FIXED"),
        Column::number("FREE"),
        Column::number("TOTAL"),
    ]);
    for pool in &answer.pools {
        let usage = &pool.usage;
        let taken = u64::from(usage.total.saturating_sub(usage.free));
        let percent = taken * 100 / u64::from(usage.total.max(1));
        let colour = match percent {
            0..80 => Colour::Good,
            80..95 => Colour::Warning,
            _ => Colour::Bad,
        };
        let numbers =
            [usage.used, usage.offered, usage.resting, usage.fixed, usage.free, usage.total];
        let first = [
            Cell::from(&pool.name),
            Cell::from(part(pool.part)),
            Cell::coloured(colour, &format!("{percent} %")),
        ];
        let numbers = numbers.map(|number| Cell::from(number.to_string()));
        table.row(first.into_iter().chain(numbers));
    }
    table.show(style)
}

fn holders(answer: &PoolHolders, now: Ts, style: &Style) -> String {
    let mut table = Table::new(&[
        Column::whole("ADDRESS"),
        Column::text("POOL"),
        Column::whole("STATE"),
        Column::text("LOGIN"),
        Column::whole("SERVICE"),
        Column::number("HEARD OF"),
    ]);
    for found in &answer.holders {
        let holder = &found.holder;
        let address = match holder.address {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("{ip}/{}", holder.length),
        };
        let service = holder.service.map_or_else(|| "-".to_owned(), |id| id.to_string());
        let since = holder.since.map_or_else(|| "-".to_owned(), |at| ago(now, at));
        table.row([
            Cell::from(address),
            Cell::from(&holder.pool_name),
            Cell::from(&holder.state),
            Cell::from(found.login.as_deref().unwrap_or("-")),
            Cell::from(service),
            Cell::from(since),
        ]);
    }
    table.show(style)
}

fn ago(now: Ts, at: Ts) -> String {
    format!("{} ago", span(now.since(at).max(0.0)))
}

#[cfg(test)]
mod tests {
    use model::control::{PoolHolder, PoolState};
    use model::pool::{Holder, Usage};
    use model::{PoolId, ServiceId};

    use super::*;

    #[test]
    fn a_pool_says_how_full_it_is_and_an_address_whose_it_is() {
        let style = Style::default();
        let usage = Usage { total: 200, used: 150, offered: 10, free: 40, ..Usage::default() };
        let pool =
            PoolState { pool: PoolId::NONE, name: "home".to_owned(), part: Part::Ipv4, usage };
        let text = list(&PoolListing { pools: vec![pool] }, &style);
        assert!(text.contains("home") && text.contains("80 %") && text.contains("150"), "{text}");
        assert_eq!(list(&PoolListing::default(), &style), "There are no address pools.\n");
        let holder = Holder {
            pool: PoolId::NONE,
            pool_name: "home".to_owned(),
            part: Part::Delegated,
            address: "2001:db8:100::".parse().unwrap(),
            length: 56,
            state: "used".to_owned(),
            service: Some(ServiceId::generate()),
            since: Some(Ts::from_seconds(0)),
        };
        let found = PoolHolder { holder, login: Some("asha".to_owned()) };
        let answer = PoolHolders { holders: vec![found] };
        let text = holders(&answer, Ts::from_seconds(120), &style);
        assert!(text.contains("2001:db8:100::/56") && text.contains("asha"), "{text}");
        assert!(text.contains("2 min"), "{text}");
    }
}
