use model::{CustomerId, Money};
use serde_json::{Map, Value as Json, json};
use store::args;
use store::testing::TestDb;
use uuid::Uuid;

use super::statement::{self, Asked};
use super::verify;
use crate::domain::adjustment::ADJUSTMENT;
use crate::domain::customer::{self, CUSTOMER};
use crate::domain::payment::PAYMENT;
use crate::domain::setting::tests::{below, office};
use crate::domain::{Actor, Fault, Office, Unit};
use crate::entity::{Draft, Entity, write};

static PAYMENTS: &Entity = &PAYMENT;
static ADJUSTMENTS: &Entity = &ADJUSTMENT;
static CUSTOMERS: &Entity = &CUSTOMER;

async fn customer(office: &Office, actor: &Actor, name: &str) -> CustomerId {
    let new = customer::New::parse(json!({"name": name}).to_string().as_bytes()).unwrap();
    customer::create(office, actor, new).await.unwrap().id
}

async fn create(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    document: Json,
) -> Result<Uuid, Fault> {
    let Json::Object(fields) = document else { panic!("{document}") };
    let draft = Draft::of(entity, &[], fields, true)?;
    Ok(write::create(office, actor, entity, draft).await?.id)
}

async fn pay(office: &Office, actor: &Actor, who: CustomerId, amount: i64) -> Result<Uuid, Fault> {
    let document = json!({"customer_id": who, "method": "cash",
        "amount": {"amount": amount, "currency": "USD"}});
    create(office, actor, PAYMENTS, document).await
}

async fn charge(office: &Office, actor: &Actor, who: CustomerId, amount: i64) -> Uuid {
    let document = json!({"customer_id": who, "kind": "charge", "reason": "a router",
        "amount": {"amount": amount, "currency": "USD"}});
    create(office, actor, ADJUSTMENTS, document).await.unwrap()
}

/// Does what a button does.
async fn act(
    office: &Office,
    actor: &Actor,
    entity: &'static Entity,
    name: &str,
    id: Uuid,
    said: Json,
) -> Result<(), Fault> {
    let action = entity.actions.iter().find(|action| action.name == name).unwrap();
    let said: Map<String, Json> = said.as_object().unwrap().clone();
    let said = Draft::arguments(action.arguments, crate::domain::Input::of_fields(said))?;
    let mut unit = Unit::begin(office, actor).await?;
    (action.run)(&mut unit, id, None, &said).await?;
    unit.commit().await
}

async fn owed(office: &Office, actor: &Actor, who: CustomerId) -> i64 {
    let asked = Asked { from: None, to: None, after: 0, limit: 100 };
    let statement = statement::of_customer(office, actor, who, &asked).await.unwrap();
    let last = statement.entries.last().map_or(0, |entry| entry.balance.amount);
    assert_eq!(statement.closing.amount, last, "what is shown last is what is owed");
    last
}

/// What always holds: nothing differs, and the books are in balance.
async fn holds(office: &Office, actor: &Actor) {
    let verified = verify::verify(office).await.unwrap();
    assert_eq!(verified.told, Vec::<String>::new());
    let totals = statement::trial_balance(office, actor, None, None).await.unwrap();
    assert_eq!(totals.iter().map(|total| total.balance.amount).sum::<i64>(), 0);
}

fn pointer(fault: Fault) -> String {
    match fault {
        Fault::Invalid(faults) => faults[0].pointer.clone(),
        Fault::Conflict { pointer, .. } => format!("conflict {pointer}"),
        other => panic!("{other:?}"),
    }
}

async fn each(what: impl AsyncFn(&TestDb, Office, Actor)) {
    for test in store::testing::engines("billing").await {
        let (office, actor) = office(&test).await;
        what(&test, office, actor).await;
    }
}

#[tokio::test]
async fn a_payment_is_in_the_books_with_its_record() {
    each(async |_, office, actor| {
        let asha = customer(&office, &actor, "Asha").await;
        charge(&office, &actor, asha, 5000).await;
        pay(&office, &actor, asha, 2999).await.unwrap();
        assert_eq!(owed(&office, &actor, asha).await, 2001);
        let totals = statement::trial_balance(&office, &actor, None, None).await.unwrap();
        let of = |code: &str| {
            let found = totals.iter().find(|total| total.account == code);
            found.map(|total| total.balance.amount)
        };
        assert_eq!(
            (of("cash"), of("receivable"), of("charges")),
            (Some(2999), Some(2001), Some(-5000))
        );
        holds(&office, &actor).await;
    })
    .await;
}

#[tokio::test]
async fn what_was_paid_too_much_is_the_customers_credit() {
    each(async |_, office, actor| {
        let asha = customer(&office, &actor, "Asha").await;
        pay(&office, &actor, asha, 1000).await.unwrap();
        assert_eq!(owed(&office, &actor, asha).await, -1000);
        // And somebody who has some is not deleted.
        let refused = write::delete(&office, &actor, CUSTOMERS, asha.0, None).await.unwrap_err();
        assert!(matches!(refused, Fault::Conflict { .. }), "{refused:?}");
        charge(&office, &actor, asha, 1000).await;
        write::delete(&office, &actor, CUSTOMERS, asha.0, None).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_mistake_is_reversed_once_and_never_changed() {
    each(async |_, office, actor| {
        let asha = customer(&office, &actor, "Asha").await;
        let id = pay(&office, &actor, asha, 700).await.unwrap();
        let why = || json!({"reason": "another customer's"});
        act(&office, &actor, PAYMENTS, "reverse", id, why()).await.unwrap();
        // Sent again, it changes nothing.
        act(&office, &actor, PAYMENTS, "reverse", id, why()).await.unwrap();
        assert_eq!(owed(&office, &actor, asha).await, 0);
        holds(&office, &actor).await;
        let refund = json!({"amount": {"amount": 1, "currency": "USD"}, "reason": "x"});
        let refused = act(&office, &actor, PAYMENTS, "refund", id, refund).await.unwrap_err();
        assert_eq!(pointer(refused), "conflict /status");
        for sql in [
            "UPDATE ledger_entry SET amount_amount = 1",
            "DELETE FROM ledger_entry",
            "UPDATE ledger_transaction SET kind = 'x'",
            "DELETE FROM ledger_transaction",
        ] {
            let mut tx = office.db.begin().await.unwrap();
            let done = tx.dynamic_all(sql, args![]).await;
            assert!(done.is_err(), "{sql}");
        }
        holds(&office, &actor).await;
    })
    .await;
}

#[tokio::test]
async fn no_more_is_refunded_than_came() {
    each(async |_, office, actor| {
        let asha = customer(&office, &actor, "Asha").await;
        let id = pay(&office, &actor, asha, 1000).await.unwrap();
        let refund = async |amount: i64| {
            let said = json!({"amount": {"amount": amount, "currency": "USD"}, "reason": "moved"});
            act(&office, &actor, PAYMENTS, "refund", id, said).await
        };
        refund(400).await.unwrap();
        assert_eq!(pointer(refund(601).await.unwrap_err()), "/amount/amount");
        let reverse = json!({"reason": "x"});
        let refused = act(&office, &actor, PAYMENTS, "reverse", id, reverse).await.unwrap_err();
        assert_eq!(pointer(refused), "conflict /status");
        refund(600).await.unwrap();
        assert_eq!(pointer(refund(1).await.unwrap_err()), "conflict /status");
        assert_eq!(owed(&office, &actor, asha).await, 0);
        holds(&office, &actor).await;
    })
    .await;
}

#[tokio::test]
async fn refunds_at_the_same_time_never_give_back_more_than_came() {
    each(async |_, office, actor| {
        let asha = customer(&office, &actor, "Asha").await;
        let id = pay(&office, &actor, asha, 1000).await.unwrap();
        let refund = async || {
            let said = json!({"amount": {"amount": 300, "currency": "USD"}, "reason": "raced"});
            act(&office, &actor, PAYMENTS, "refund", id, said).await.is_ok()
        };
        let (a, b, c, d, e) = tokio::join!(refund(), refund(), refund(), refund(), refund());
        let done = [a, b, c, d, e].into_iter().filter(|done| *done).count();
        assert!((1..=3).contains(&done), "{done}");
        assert_eq!(owed(&office, &actor, asha).await, 300 * done as i64 - 1000);
        holds(&office, &actor).await;
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_booked_is_refused_by_its_field() {
    each(async |_, office, actor| {
        let asha = customer(&office, &actor, "Asha").await;
        let given = |field: &str, value: Json| {
            let mut document = json!({"customer_id": asha, "method": "cash",
                "amount": {"amount": 100, "currency": "USD"}});
            document[field] = value;
            document
        };
        for (field, value, at) in [
            ("amount", json!({"amount": 0, "currency": "USD"}), "/amount/amount"),
            ("amount", json!({"amount": -5, "currency": "USD"}), "/amount/amount"),
            ("amount", json!({"amount": 100, "currency": "EUR"}), "/amount/currency"),
            ("received_on", json!("9999-01-01"), "/received_on"),
            ("received_on", json!("yesterday"), "/received_on"),
            ("method", json!("shells"), "/method"),
            ("customer_id", json!(CustomerId::generate()), "/customer_id"),
        ] {
            let refused = create(&office, &actor, PAYMENTS, given(field, value)).await.unwrap_err();
            assert_eq!(pointer(refused), at, "{field}");
        }
        holds(&office, &actor).await;
    })
    .await;
}

#[tokio::test]
async fn a_partner_that_is_a_legal_entity_has_books_of_its_own() {
    each(async |_, office, isp| {
        let body = json!({"kind": "partner", "name": "South", "legal_entity": true,
            "currency": "INR"});
        let south = below(&office, &isp, body).await;
        let branch = below(&office, &south, json!({"kind": "branch", "name": "Hill"})).await;
        let north = below(&office, &isp, json!({"kind": "partner", "name": "North"})).await;
        let theirs = customer(&office, &branch, "Asha").await;
        let ours = customer(&office, &north, "Bo").await;
        let paid = json!({"customer_id": theirs, "method": "bank",
            "amount": {"amount": 500, "currency": "INR"}});
        create(&office, &branch, PAYMENTS, paid).await.unwrap();
        pay(&office, &north, ours, 700).await.unwrap();
        let books = async |actor: &Actor| {
            let totals = statement::trial_balance(&office, actor, None, None).await.unwrap();
            let cash = totals.iter().filter(|total| total.balance.amount > 0);
            cash.map(|total| total.balance).collect::<Vec<Money>>()
        };
        assert_eq!(books(&south).await.len(), 1);
        assert_eq!(books(&south).await[0].to_string(), "5.00 INR");
        assert_eq!(books(&isp).await.len(), 2);
        // The books a branch's money stands in are not the branch's to see.
        assert_eq!(books(&branch).await.len(), 0);
        // Nobody else's customer: neither to read nor to pay for.
        let asked = Asked { from: None, to: None, after: 0, limit: 100 };
        let refused = statement::of_customer(&office, &north, theirs, &asked).await.unwrap_err();
        assert!(matches!(refused, Fault::NotFound(_)), "{refused:?}");
        assert_eq!(pointer(pay(&office, &north, theirs, 1).await.unwrap_err()), "/customer_id");
        holds(&office, &isp).await;
    })
    .await;
}

#[tokio::test]
async fn the_database_itself_keeps_entries_in_balance() {
    each(async |_, office, actor| {
        let asha = customer(&office, &actor, "Asha").await;
        pay(&office, &actor, asha, 100).await.unwrap();
        let copy = |change: (&str, &str)| {
            let names = "id, organisation_id, transaction_id, books_id, booked_on, kind, debit, \
                         credit, amount_amount, amount_currency, customer_id, source, created_at, \
                         created_by";
            let values = names.replace(change.0, change.1).replacen("id", "$1", 1);
            format!("INSERT INTO ledger_entry ({names}) SELECT {values} FROM ledger_entry")
        };
        for change in [
            ("amount_amount", "0"),
            ("amount_amount", "-1"),
            ("amount_currency", "'EUR'"),
            ("debit, ", "credit, "),
            ("credit, ", "'nowhere', "),
        ] {
            let mut tx = office.db.begin().await.unwrap();
            let done = tx.dynamic_all(&copy(change), args![Uuid::now_v7()]).await;
            assert!(done.is_err(), "{change:?}");
        }
        // The same without a change is taken, and the verifier tells it: no document says it.
        let mut tx = office.db.begin().await.unwrap();
        tx.dynamic_all(&copy(("x", "x")), args![Uuid::now_v7()]).await.unwrap();
        tx.commit().await.unwrap();
        let verified = verify::verify(&office).await.unwrap();
        assert_eq!(verified.differences, 1, "{:?}", verified.told);
    })
    .await;
}

#[tokio::test]
async fn a_statement_goes_on_where_its_page_ended() {
    each(async |_, office, actor| {
        let asha = customer(&office, &actor, "Asha").await;
        for n in 1..=7 {
            charge(&office, &actor, asha, n * 100).await;
        }
        let (mut after, mut balances) = (0, Vec::new());
        loop {
            let asked = Asked { from: None, to: None, after, limit: 3 };
            let page = statement::of_customer(&office, &actor, asha, &asked).await.unwrap();
            balances.extend(page.entries.iter().map(|entry| entry.balance.amount));
            match page.next_cursor {
                Some(cursor) => after = cursor.parse().unwrap(),
                None => break,
            }
        }
        assert_eq!(balances, [100, 300, 600, 1000, 1500, 2100, 2800]);
    })
    .await;
}
