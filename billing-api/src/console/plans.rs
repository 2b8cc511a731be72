//! Plans as the pages of services name them.

use maud::{Markup, html};
use model::{Currency, Money, PlanId};
use serde_json::json;
use store::args;

use super::form::{Body, Filled, Input};
use super::guard::Fields;
use super::show;
use super::words::{self, Key, Words};
use crate::domain::{Actor, Fault, Office, PAGE_MAX, plan};
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
    use model::{Currency, Money, OrganisationId, PlanVersionId};

    use super::*;

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

    #[test]
    fn a_plan_to_choose_tells_speed_and_price() {
        let choices = plans(vec![plan("Home 50")]).choices(&Words::english());
        assert_eq!(choices[0].1, "Home 50 · 50 / 20 Mbit/s · 29.99 USD / month");
    }
}
