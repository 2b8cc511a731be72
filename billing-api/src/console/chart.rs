//! The traffic chart: an SVG drawn here, no script.
//!
//! The picture stretches with the page, so the labels stand outside it as ordinary text; a
//! stretched text could not be read on a phone.

use maud::{Markup, html};
use model::Ts;
use model::units::ShowRate;

use super::words::{self, Key, Words};
use super::{page, show};
use crate::domain::session::Traffic;

/// How far the chart looks back, minutes.
pub(super) const MINUTES: i64 = 60;

/// The picture's own coordinates.
const WIDTH: f64 = 600.0;
const HEIGHT: f64 = 160.0;
/// Horizontal lines above zero.
const STEPS: u64 = 4;

/// The mean rates of one minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Point {
    minute: i64,
    download_bps: u64,
    upload_bps: u64,
}

/// Turns traffic into points, from the first minute with any to the last whole one; a minute
/// without traffic in between is a zero. The running minute is not whole yet: it counts only
/// where there is nothing else to show.
pub(super) fn points(now: Ts, traffic: &[Traffic]) -> Vec<Point> {
    let running = now.seconds().div_euclid(60);
    let rate = |octets: u64| octets.saturating_mul(8) / 60;
    let at = |minute: i64| {
        let mut sum = Point { minute, download_bps: 0, upload_bps: 0 };
        for row in traffic.iter().filter(|row| row.minute.seconds().div_euclid(60) == minute) {
            sum.download_bps = sum.download_bps.saturating_add(rate(row.download_octets));
            sum.upload_bps = sum.upload_bps.saturating_add(rate(row.upload_octets));
        }
        sum
    };
    let first = traffic
        .iter()
        .map(|row| row.minute.seconds().div_euclid(60))
        .filter(|minute| (running - MINUTES..=running).contains(minute))
        .min();
    match first {
        None => Vec::new(),
        Some(first) if first == running => vec![at(running)],
        Some(first) => (first..running).map(at).collect(),
    }
}

/// The chart, or in words why there is none.
pub(super) fn chart(words: &Words, now: Ts, points: &[Point]) -> Markup {
    let Some(last) = points.last() else {
        return page::empty(&words.say(words::CHART_EMPTY), None);
    };
    let peak = |rate: fn(&Point) -> u64| points.iter().map(rate).max().unwrap_or(0);
    let (download_max, upload_max) = (peak(|p| p.download_bps), peak(|p| p.upload_bps));
    let step = step_bps(download_max.max(upload_max));
    let top = step.saturating_mul(STEPS);
    let start = now.seconds().div_euclid(60) - MINUTES;
    let place = |point: &Point, rate: u64| {
        let x = (point.minute - start) as f64 / MINUTES as f64 * WIDTH;
        let y = HEIGHT - rate as f64 / top as f64 * HEIGHT;
        format!("{x:.1},{y:.1}")
    };
    let line = |rate: fn(&Point) -> u64| {
        let mut places: Vec<String> = points.iter().map(|p| place(p, rate(p))).collect();
        // A line of one point is invisible; from it to itself, its round ends make a dot.
        if places.len() == 1 {
            places.push(places[0].clone());
        }
        places.join(" ")
    };
    let show = |rate: u64| ShowRate(rate).to_string();
    let description = words.say_with(
        words::CHART_DESCRIPTION,
        &[
            ("download", show(last.download_bps).into()),
            ("download_max", show(download_max).into()),
            ("upload", show(last.upload_bps).into()),
            ("upload_max", show(upload_max).into()),
        ],
    );
    let quarter = |n: i64| Ts::from_seconds((start + n * MINUTES / 4) * 60);
    html! {
        figure.chart {
            div.chart-plot {
                div.chart-y aria-hidden="true" {
                    @for n in (0..=STEPS).rev() { span { (show(step.saturating_mul(n))) } }
                }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img"
                    aria-labelledby="chart-title chart-description" {
                    title id="chart-title" { (words.say(words::CHART_TITLE)) }
                    desc id="chart-description" { (description) }
                    g.grid {
                        @for n in 0..=STEPS {
                            @let y = HEIGHT * n as f64 / STEPS as f64;
                            line x1="0" x2=(WIDTH) y1=(y) y2=(y) {}
                        }
                    }
                    polyline.download points=(line(|p| p.download_bps)) {}
                    polyline.upload points=(line(|p| p.upload_bps)) {}
                }
                div.chart-x aria-hidden="true" {
                    @for n in 0..=4 { span { (show::clock(words, quarter(n))) } }
                }
            }
            figcaption {
                span.key.download { (words.say(words::CHART_DOWNLOAD)) " " b { (show(last.download_bps)) } }
                span.key.upload { (words.say(words::CHART_UPLOAD)) " " b { (show(last.upload_bps)) } }
            }
        }
    }
}

/// How far back the days of [`days`] reach.
const DAYS: i64 = 31;
const DAY_S: i64 = 24 * 3600;

/// A number for each of the last days as a bar; days are UTC, as they are counted. `counts` has
/// those that are not zero.
pub(super) fn days(words: &Words, now: Ts, title: Key, counts: &[(String, i64)]) -> Markup {
    if counts.iter().all(|(_, count)| *count == 0) {
        return page::empty(&words.say(words::CHART_DAYS_EMPTY), None);
    }
    let date = |ago: i64| now.plus_seconds(-ago * DAY_S).to_string().chars().take(10).collect();
    let dates: Vec<String> = (0..DAYS).rev().map(date).collect();
    let of = |date: &String| {
        counts.iter().find(|(day, _)| day == date).map_or(0, |(_, count)| (*count).max(0))
    };
    let numbers: Vec<i64> = dates.iter().map(of).collect();
    let most = numbers.iter().copied().max().unwrap_or(0);
    let step = step_count(most);
    let top = step * STEPS as i64;
    let told = [
        ("total", show::count(numbers.iter().sum()).into()),
        ("most", show::count(most).into()),
        ("today", show::count(numbers.last().copied().unwrap_or(0)).into()),
    ];
    let wide = WIDTH / DAYS as f64;
    let short = |date: &String| date.get(5..).unwrap_or_default().to_owned();
    html! {
        figure.chart {
            div.chart-plot {
                div.chart-y aria-hidden="true" {
                    @for n in (0..=STEPS as i64).rev() { span { (show::count(step * n)) } }
                }
                svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img"
                    aria-labelledby="days-title days-description" {
                    title id="days-title" { (words.say(title)) }
                    desc id="days-description" { (words.say_with(words::CHART_DAYS, &told)) }
                    g.grid {
                        @for n in 0..=STEPS {
                            @let y = HEIGHT * n as f64 / STEPS as f64;
                            line x1="0" x2=(WIDTH) y1=(y) y2=(y) {}
                        }
                    }
                    g.bars {
                        @for (n, (date, count)) in dates.iter().zip(&numbers).enumerate() {
                            @let tall = *count as f64 / top as f64 * HEIGHT;
                            rect x=(format!("{:.1}", n as f64 * wide + wide * 0.15))
                                y=(format!("{:.1}", HEIGHT - tall))
                                width=(format!("{:.1}", wide * 0.7)) height=(format!("{tall:.1}")) {
                                title { (date) ": " (show::count(*count)) }
                            }
                        }
                    }
                }
                div.chart-x aria-hidden="true" {
                    @for n in [0, 10, 20, 30] { span { (short(&dates[n])) } }
                }
            }
            figcaption { (words.say_with(words::CHART_DAYS, &told)) }
        }
    }
}

/// As [`step_bps`], for whole numbers from one.
fn step_count(most: i64) -> i64 {
    let mut power: i64 = 1;
    loop {
        for digit in [1, 2, 5] {
            let step = digit * power;
            if step.saturating_mul(STEPS as i64) >= most || power >= i64::MAX / 100 {
                return step;
            }
        }
        power *= 10;
    }
}

/// The distance of two lines: the smallest of 1, 2, 2.5, 5 times a power of ten with which
/// everything fits below the top line.
fn step_bps(peak: u64) -> u64 {
    let mut power = 100;
    loop {
        for tenths in [10, 20, 25, 50] {
            let step = tenths * power;
            if step * STEPS >= peak || power >= u64::MAX / 10_000 {
                return step;
            }
        }
        power *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Ts {
        "2026-03-01T10:00:30Z".parse().unwrap()
    }

    fn minutes(from: i64, to: i64) -> Vec<Traffic> {
        let floor = now().seconds().div_euclid(60);
        (from..=to)
            .map(|ago| Traffic {
                minute: Ts::from_seconds((floor - ago) * 60),
                download_octets: 375_000_000,
                upload_octets: 75_000_000,
            })
            .collect()
    }

    fn drawn(traffic: &[Traffic]) -> String {
        chart(&Words::english(), now(), &points(now(), traffic)).into_string()
    }

    #[test]
    fn without_traffic_the_chart_says_what_to_wait_for() {
        let text = drawn(&[]);
        assert!(!text.contains("<svg"), "{text}");
        assert!(text.contains("No traffic was reported"));
        assert!(points(now(), &minutes(61, 61)).is_empty(), "older than the chart");
    }

    #[test]
    fn one_minute_is_a_dot() {
        let text = drawn(&minutes(0, 0));
        assert!(text.contains(r#"points="600.0,60.0 600.0,60.0""#), "{text}");
    }

    #[test]
    fn an_hour_is_two_lines_with_axes_and_a_description() {
        let text = drawn(&minutes(0, 60));
        let points = text.split("points=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(points.split(' ').count(), 60, "the running minute is left out");
        assert_eq!(text.matches("<polyline").count(), 2);
        assert!(text.contains("Download: 50 Mbit/s now, 50 Mbit/s at most. Upload: 10 Mbit/s now"));
        assert!(text.contains("<span>80 Mbit/s</span><span>60 Mbit/s</span>"));
        assert!(text.contains("<span>09:00</span>") && text.contains("<span>10:00</span>"));
    }

    #[test]
    fn a_minute_without_traffic_is_a_zero() {
        let mut traffic = minutes(2, 2);
        traffic.extend(minutes(4, 4));
        let points = points(now(), &traffic);
        let rates: Vec<u64> = points.iter().map(|p| p.download_bps / 1_000_000).collect();
        assert_eq!(rates, [50, 0, 50, 0]);
    }

    #[test]
    fn days_are_bars_and_a_day_without_any_is_none() {
        let counts = [("2026-02-27".to_owned(), 30), ("2026-03-01".to_owned(), 12)];
        let text = days(&Words::english(), now(), words::CHART_TITLE, &counts).into_string();
        assert_eq!(text.matches("<rect").count(), 31);
        assert!(text.contains("<title>2026-02-27: 30</title>"), "{text}");
        assert!(text.contains("<title>2026-02-28: 0</title>") && text.contains("42"), "{text}");
        assert!(
            !days(&Words::english(), now(), words::CHART_TITLE, &[]).into_string().contains("svg")
        );
        assert_eq!([0, 4, 5, 100, 101].map(step_count), [1, 1, 2, 50, 50]);
        assert!(step_count(i64::MAX) > 0);
    }

    #[test]
    fn the_lines_are_round_numbers_above_every_peak() {
        assert_eq!(step_bps(0), 1_000);
        assert_eq!(step_bps(50_000_000), 20_000_000);
        assert_eq!(step_bps(100_000_000), 25_000_000);
        for peak in [1, 999, 1_234_567, u64::MAX / 2, u64::MAX] {
            assert!(step_bps(peak) > 0);
        }
    }
}
