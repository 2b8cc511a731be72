//! Plans: what is sold.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use model::{Currency, Money, PlanId, Ts};
use serde_json::json;
use store::args;

use super::failure::Failure;
use super::form::{Body, Filled, Input};
use super::guard::{Fields, Post, Signed};
use super::page::{self, Column, Notice, Place, Viewer};
use super::show;
use super::words::{self, Key, Words};
use crate::domain::{Actor, Fault, Office, PAGE_DEFAULT, PAGE_MAX, Page, plan};
use crate::http::Problem;
use crate::store::organisation;

const NAME: Input = Input::new("name", words::PLAN_NAME).hint(words::PLAN_NAME_HINT);
const PRICE: Input = Input::new("price", words::PLAN_PRICE)
    .kind("decimal")
    .becomes("price/amount", words::PLAN_PRICE_WRONG);
const PERIOD: Input = Input::new("period", words::PLAN_PERIOD);
const DOWNLOAD: Input = rate("download", words::PLAN_DOWNLOAD, "download_bps");
const UPLOAD: Input = rate("upload", words::PLAN_UPLOAD, "upload_bps");
pub(super) const INPUTS: [Input; 5] = [NAME, PRICE, PERIOD, DOWNLOAD, UPLOAD];

const fn rate(name: &'static str, label: Key, becomes: &'static str) -> Input {
    Input::new(name, label)
        .kind("decimal")
        .hint(words::PLAN_RATE_HINT)
        .optional()
        .becomes(becomes, words::PLAN_RATE_WRONG)
}

const PERIODS: [(&str, Key); 4] = [
    ("month", words::PERIOD_MONTH),
    ("quarter", words::PERIOD_QUARTER),
    ("half_year", words::PERIOD_HALF_YEAR),
    ("year", words::PERIOD_YEAR),
];

/// Decimals of a rate in Mbit/s: down to one bit/s.
const MBIT_DECIMALS: u32 = 6;

/// `GET /plans`
pub(super) async fn list(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let query = Fields::of_query(&request);
    let after = Some(query.get("cursor")).filter(|cursor| !cursor.is_empty());
    let listed = plan::list(&office, &signed.actor, after, PAGE_DEFAULT).await;
    let page = listed.map_err(|fault| Failure::new(&request, fault))?;
    let notice = Notice::from_word(query.get("done"));
    let body = render(&signed.viewer, office.now(), &page, after.is_some(), notice);
    Ok(page::send(StatusCode::OK, body))
}

/// `GET /plans/new`
pub(super) async fn form(
    request: HttpRequest,
    office: Data<Office>,
    signed: Signed,
) -> Result<HttpResponse, Failure> {
    let currency = currency(&office, &signed.actor).await;
    let currency = currency.map_err(|fault| Failure::new(&request, fault))?;
    Ok(page::send(StatusCode::OK, render_form(&signed.viewer, currency, &Filled::default())))
}

/// `POST /plans`
pub(super) async fn create(
    request: HttpRequest,
    office: Data<Office>,
    post: Post,
) -> Result<HttpResponse, Failure> {
    let Post { signed, fields } = post;
    let words = &signed.viewer.words;
    let result = async {
        let currency = currency(&office, &signed.actor).await?;
        let (new, filled) = read(words, &fields, currency);
        let created = match new {
            Ok(new) => plan::create(&office, &signed.actor, new).await,
            Err(fault) => Err(fault),
        };
        let fault = match created {
            Ok(_) => return Ok(page::go(&Notice::PlanCreated.after("/plans"))),
            Err(fault) => fault,
        };
        let status = Problem::status(&fault).0;
        let filled = filled.refused(words, &INPUTS, fault)?;
        Ok(page::send(status, render_form(&signed.viewer, currency, &filled)))
    };
    result.await.map_err(|fault| Failure::new(&request, fault))
}

/// What the actor's organisation charges in.
pub(super) async fn currency(office: &Office, actor: &Actor) -> Result<Currency, Fault> {
    let row = office.db.fetch_one(&organisation::FIND, args![actor.organisation]).await?;
    Ok(organisation::organisation(&row)?.currency)
}

/// What a form means, and the form to show again where it means nothing.
pub(super) fn read(
    words: &Words,
    fields: &Fields,
    currency: Currency,
) -> (Result<plan::New, Fault>, Filled) {
    let mut filled = Filled::sent(&INPUTS, fields);
    let body = body(words, fields, currency, &mut filled);
    let new = match plan::New::parse(&body) {
        Ok(_) if !filled.is_right() => Err(Fault::Invalid(Vec::new())),
        new => new,
    };
    (new, filled)
}

fn body(words: &Words, fields: &Fields, currency: Currency, filled: &mut Filled) -> Vec<u8> {
    let mut number = |input: &Input, decimals| {
        let text = fields.get(input.name);
        let number = show::scaled(text, decimals);
        if number.is_none() && !text.is_empty() {
            filled.cannot_read(words, input);
        }
        number.map(serde_json::Value::from)
    };
    let amount = number(&PRICE, currency.decimals());
    let (download, upload) = (number(&DOWNLOAD, MBIT_DECIMALS), number(&UPLOAD, MBIT_DECIMALS));
    let price = amount.map(|amount| json!({"amount": amount, "currency": currency}));
    Body::default()
        .text(fields, "name")
        .value("price", price)
        .text(fields, "period")
        .value("download_bps", download)
        .value("upload_bps", upload)
        .octets()
}

/// Plans at hand: for choosing one, and for naming those in use.
#[derive(Debug, Default)]
pub(super) struct Plans(Vec<plan::View>);

impl Plans {
    /// The newest plans, and whichever of `used` are not among them.
    pub(super) async fn load(
        office: &Office,
        actor: &Actor,
        used: impl Iterator<Item = PlanId>,
    ) -> Result<Self, Fault> {
        let mut plans = Self(plan::list(office, actor, None, PAGE_MAX).await?.rows);
        for id in used {
            if plans.find(id).is_none() {
                match plan::find(office, actor, id).await {
                    Ok(plan) => plans.0.push(plan),
                    Err(Fault::NotFound(_)) => {}
                    Err(fault) => return Err(fault),
                }
            }
        }
        Ok(plans)
    }

    /// A plan.
    pub(super) fn find(&self, id: PlanId) -> Option<&plan::View> {
        self.0.iter().find(|plan| plan.id == id)
    }

    /// The name of a plan; its id where it is gone.
    pub(super) fn name(&self, id: PlanId) -> String {
        self.find(id).map_or_else(|| id.to_string(), |plan| plan.name.clone())
    }

    /// Every plan to choose from: its id, and its name with speed and price.
    pub(super) fn choices(&self, words: &Words) -> Vec<(String, String)> {
        let choice = |plan: &plan::View| {
            let speed = speed(words, plan);
            (plan.id.to_string(), format!("{} · {speed} · {}", plan.name, price(words, plan)))
        };
        self.0.iter().map(choice).collect()
    }
}

/// The speed of a plan.
pub(super) fn speed(words: &Words, plan: &plan::View) -> String {
    show::rates(words, plan.download_bps, plan.upload_bps)
}

/// The price of a plan with its period.
fn price(words: &Words, plan: &plan::View) -> String {
    let Some(price) = plan.price else { return words.say(words::PRICE_NONE) };
    let word = plan.period.as_deref().unwrap_or("");
    let period = PERIODS.iter().find(|(own, _)| *own == word);
    let period = period.map_or_else(|| word.to_owned(), |(_, key)| words.say(*key));
    let args = [("amount", price.to_string().into()), ("period", period.into())];
    words.say_with(words::PRICE_PER, &args)
}

fn render(
    viewer: &Viewer,
    now: Ts,
    page: &Page<plan::View>,
    later: bool,
    notice: Option<Notice>,
) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::PLANS_TITLE);
    let new = words.say(words::PLANS_NEW);
    let columns = [
        Column::text(words, words::PLAN_NAME),
        Column::number(words, words::PLAN_SPEED),
        Column::number(words, words::PLAN_PRICE),
        Column::text(words, words::PLAN_SINCE),
    ];
    let row = |plan: &plan::View| {
        vec![
            html! { (plan.name) },
            html! { (speed(words, plan)) },
            html! { (price(words, plan)) },
            show::ago(words, now, plan.created_at),
        ]
    };
    let rows: Vec<Vec<Markup>> = page.rows.iter().map(row).collect();
    let body = html! {
        div.head {
            h1 { (title) }
            a.button href="/plans/new" { (new) }
        }
        @if rows.is_empty() {
            (page::empty(&words.say(words::PLANS_EMPTY), Some(("/plans/new", &new))))
        } @else {
            (page::table(&title, &columns, &rows))
            (page::pager(words, "/plans", later, page.next.as_deref()))
        }
    };
    page::page(viewer, Some(Place::Plans), &title, notice, &body)
}

fn render_form(viewer: &Viewer, currency: Currency, filled: &Filled) -> Markup {
    let words = &viewer.words;
    let title = words.say(words::PLANS_NEW);
    let body = html! {
        h1 { (title) }
        form.card method="post" action="/plans" {
            (page::csrf(viewer))
            (fields(words, currency, filled))
            div.actions {
                button type="submit" { (words.say(words::PLAN_CREATE)) }
                a.button.quiet href="/plans" { (words.say(words::FORM_CANCEL)) }
            }
        }
    };
    page::page(viewer, Some(Place::Plans), &title, None, &body)
}

/// The fields of a new plan.
pub(super) fn fields(words: &Words, currency: Currency, filled: &Filled) -> Markup {
    let periods = PERIODS.map(|(word, key)| (word.to_owned(), words.say(key)));
    // 29.99, 29 or 29.999: with the decimals this currency has.
    let example = Money { amount: 30 * 10i64.pow(currency.decimals()) - 1, currency }.to_string();
    let example = example.split(' ').next().unwrap_or("").to_owned();
    let args = [("currency", currency.to_string().into()), ("example", example.into())];
    let hint = words.say_with(words::PLAN_PRICE_HINT, &args);
    html! {
        (filled.problems(words, &INPUTS))
        (filled.input(words, &NAME))
        div.pair {
            (filled.input_hinted(words, &PRICE, Some(&hint)))
            (filled.select(words, &PERIOD, &periods, false))
        }
        div.pair {
            (filled.input(words, &DOWNLOAD))
            (filled.input(words, &UPLOAD))
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeMap;

    use model::policy::{Garden, OnHold};
    use model::{OrganisationId, PlanVersionId};

    use super::*;
    use crate::console::page::tests::viewer;

    pub(in crate::console) fn plan(name: &str) -> plan::View {
        let at = "2026-03-01T09:30:00Z".parse().unwrap();
        plan::View {
            id: PlanId::generate(),
            organisation_id: OrganisationId::generate(),
            name: name.to_owned(),
            status: "active".to_owned(),
            price: Some(Money { amount: 2999, currency: usd() }),
            period: Some("month".to_owned()),
            download_bps: Some(50_000_000),
            upload_bps: Some(20_000_000),
            interim_s: 300,
            session_timeout_s: None,
            idle_timeout_s: None,
            pool: None,
            on_expired: OnHold::Reject,
            garden: Garden::default(),
            current_version_id: PlanVersionId::generate(),
            version: 1,
            created_at: at,
            updated_at: at,
        }
    }

    pub(in crate::console) fn plans(plans: Vec<plan::View>) -> Plans {
        Plans(plans)
    }

    fn usd() -> Currency {
        "USD".parse().unwrap()
    }

    fn fields(pairs: &[(&str, &str)]) -> Fields {
        let owned = pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Fields(owned.collect::<BTreeMap<_, _>>())
    }

    #[test]
    fn the_list_shows_speed_and_price() {
        let now = "2026-03-04T09:30:00Z".parse().unwrap();
        let page = Page { rows: vec![plan("Home <50>")], next: None };
        let text = render(&viewer(), now, &page, false, Some(Notice::PlanCreated)).into_string();
        for part in
            ["Home &lt;50&gt;", "50 / 20 Mbit/s", "29.99 USD / month", "The plan is created"]
        {
            assert!(text.contains(part), "{part}");
        }
        let none = Page { rows: vec![], next: None };
        let text = render(&viewer(), now, &none, false, None).into_string();
        assert!(text.contains("There are no plans yet."));
    }

    #[test]
    fn a_price_and_a_rate_become_what_the_rules_want() {
        let typed = fields(&[
            ("name", "Home 50"),
            ("price", "29.99"),
            ("period", "month"),
            ("download", "50"),
            ("upload", "0.512"),
        ]);
        let mut filled = Filled::sent(&INPUTS, &typed);
        let body = body(&Words::english(), &typed, usd(), &mut filled);
        let body_json: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body_json["price"], json!({"amount": 2999, "currency": "USD"}));
        assert_eq!(body_json["download_bps"], 50_000_000);
        assert_eq!(body_json["upload_bps"], 512_000);
        assert!(filled.is_right() && plan::New::parse(&body).is_ok());
    }

    #[test]
    fn what_cannot_be_read_is_said_in_the_units_on_the_screen() {
        let words = Words::english();
        let typed = fields(&[("name", "x"), ("price", "29,99"), ("download", "fast")]);
        let mut filled = Filled::sent(&INPUTS, &typed);
        let fault = plan::New::parse(&body(&words, &typed, usd(), &mut filled)).unwrap_err();
        let filled = filled.refused(&words, &INPUTS, fault).unwrap();
        let text = render_form(&viewer(), usd(), &filled).into_string();
        for part in [
            "Price: is not an amount",
            "Download, Mbit/s: is not a rate",
            "In USD, such as 29.99",
            r#"value="29,99""#,
            "2 fields need another look",
        ] {
            assert!(text.contains(part), "{part}\n{text}");
        }
    }
}
