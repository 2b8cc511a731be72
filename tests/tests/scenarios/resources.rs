//! What the office creates over the API.

use lab::{Answer, Lab};
use serde_json::{Value, json};

both_ways!(
    the_documented_requests_create_the_documented_resources,
    bad_input_names_the_field,
    who_proves_nothing_learns_nothing,
    a_request_sent_again_under_its_key_gets_the_first_answer,
    described_resources_work_like_the_others,
);

/// The status of input that is not valid.
const INVALID: u16 = 422;

/// Checks a 201: the id's prefix, the Location, the echo of what was sent, the names of the
/// fields, that secrets stay inside, and that reading it back gives the same.
#[track_caller]
fn check_created(
    lab: &Lab,
    answer: &Answer,
    sent: &Value,
    prefix: &str,
    collection: &str,
) -> Value {
    let body = answer.expect(201);
    let id = body["id"].as_str().expect("an id is text");
    assert!(id.starts_with(&format!("{prefix}_")), "{id}");
    let path = format!("/api/v1/{collection}/{id}");
    assert_eq!(answer.location.as_deref(), Some(path.as_str()));
    for (field, value) in sent.as_object().expect("requests are objects") {
        match field.as_str() {
            "password" | "secret" => {
                let secret = value.as_str().expect("a secret is text");
                assert!(!answer.text.contains(secret), "{}", answer.text);
            }
            // A login is one of several identities.
            "login" => assert!(answer.text.contains(value.as_str().expect("text")), "{body}"),
            _ => assert_eq!(&body[field], value, "{field} in {body}"),
        }
    }
    assert_snake_case(&body);
    assert_eq!(lab.api().get(&path).expect(200), body);
    body
}

fn assert_snake_case(value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
                assert!(name.chars().all(fits), "{name}");
                assert_snake_case(value);
            }
        }
        Value::Array(items) => items.iter().for_each(assert_snake_case),
        _ => {}
    }
}

fn the_documented_requests_create_the_documented_resources(lab: &mut Lab) {
    let api = lab.api();
    let plan = json!({
        "name": "Home 50",
        "price": {"amount": 2999, "currency": "USD"},
        "download_bps": 50_000_000,
        "upload_bps": 20_000_000,
    });
    let answer = api.post("/api/v1/plans", &plan);
    let plan = check_created(lab, &answer, &plan, "pln", "plans");

    let customer = json!({"name": "Asha Rao", "email": "asha@example.net"});
    let answer = api.post("/api/v1/customers", &customer);
    let customer = check_created(lab, &answer, &customer, "cus", "customers");

    let service = json!({"plan_id": plan["id"], "login": "asha", "password": "s3cret"});
    let id = customer["id"].as_str().expect("an id is text");
    let answer = api.post(&format!("/api/v1/customers/{id}/services"), &service);
    let service = check_created(lab, &answer, &service, "svc", "services");
    assert_eq!(service["customer_id"], customer["id"]);

    let nas = json!({
        "name": "bng1",
        "address": "127.0.0.1",
        "secret": "testing123",
        "vendor": "mikrotik",
        "coa_port": 3799,
    });
    let answer = api.post("/api/v1/nas", &nas);
    let nas = check_created(lab, &answer, &nas, "nas", "nas");

    let of_customer = format!("/api/v1/services?customer_id={id}");
    for (list, resource) in [
        ("/api/v1/plans", &plan),
        ("/api/v1/customers", &customer),
        (of_customer.as_str(), &service),
        ("/api/v1/nas", &nas),
    ] {
        let page = api.get(list).expect(200);
        let ids: Vec<&Value> =
            page["data"].as_array().expect("data").iter().map(|r| &r["id"]).collect();
        assert_eq!(ids, [&resource["id"]], "{list}");
        assert_eq!(page["next_cursor"], Value::Null, "{list}");
    }
}

fn bad_input_names_the_field(lab: &mut Lab) {
    let api = lab.api();
    let price = json!({"amount": 2999, "currency": "USD"});
    let plan = api.create_plan("Home 50", 50_000_000, 20_000_000);
    let customer = api.create_customer("Asha Rao", "asha@example.net");
    api.create_service(&customer, &plan, "asha", "s3cret");
    api.create_nas("bng1", "127.0.0.1", "testing123", 3799);
    let services = format!("/api/v1/customers/{customer}/services");
    let service = |plan: &str| json!({"plan_id": plan, "login": "binod", "password": "s3cret"});
    let nas = |address: &str| json!({"name": "bng2", "address": address, "secret": "testing123"});
    let unknown_plan = "pln_7zzzzzzzzzzzzzzzzzzzzzzzzz";
    for (path, body, pointer) in [
        ("/api/v1/plans", json!({"price": price}), "/name"),
        ("/api/v1/plans", json!({"name": "x", "price": price, "speed": 5}), "/speed"),
        (
            "/api/v1/plans",
            json!({"name": "x", "price": {"amount": -1, "currency": "USD"}}),
            "/price/amount",
        ),
        (
            "/api/v1/plans",
            json!({"name": "x", "price": {"amount": 1, "currency": "usd"}}),
            "/price/currency",
        ),
        (
            "/api/v1/plans",
            json!({"name": "x", "price": price, "download_bps": "fast"}),
            "/download_bps",
        ),
        ("/api/v1/customers", json!({"email": "a@example.net"}), "/name"),
        ("/api/v1/customers", json!({"name": "x", "email": "asha"}), "/email"),
        (&services, json!({"plan_id": plan, "password": "s3cret"}), "/login"),
        (&services, service("cus_7zzzzzzzzzzzzzzzzzzzzzzzzz"), "/plan_id"),
        (&services, service(unknown_plan), "/plan_id"),
        ("/api/v1/nas", nas("somewhere"), "/address"),
        ("/api/v1/nas", json!({"name": "x", "address": "192.0.2.1"}), "/secret"),
    ] {
        println!("{path} {body}");
        api.post(path, &body).blames(INVALID, pointer);
    }
    // What stands already, in whatever case it was typed.
    let taken = json!({"plan_id": plan, "login": "ASHA", "password": "other1"});
    api.post(&services, &taken).blames(409, "/login");
    let rest = api.get(&format!("/api/v1/services?customer_id={customer}")).expect(200);
    assert_eq!(
        rest["data"].as_array().map(Vec::len),
        Some(1),
        "a refused service was kept: {rest}"
    );
}

fn who_proves_nothing_learns_nothing(lab: &mut Lab) {
    let api = lab.api();
    let plan = api.create_plan("Home 50", 50_000_000, 20_000_000);
    for token in [None, Some("wrong"), Some("")] {
        let stranger = api.with_token(token);
        for path in ["/api/v1/plans", "/api/v1/sessions", &format!("/api/v1/plans/{plan}")] {
            stranger.get(path).problem(401);
        }
        stranger.post("/api/v1/customers", &json!({"name": "x"})).problem(401);
    }
    let nobody = "7zzzzzzzzzzzzzzzzzzzzzzzzz";
    for (collection, prefix) in
        [("plans", "pln"), ("customers", "cus"), ("services", "svc"), ("nas", "nas")]
    {
        api.get(&format!("/api/v1/{collection}/{prefix}_{nobody}")).problem(404);
    }
    let service = json!({"plan_id": plan, "login": "asha", "password": "s3cret"});
    api.post(&format!("/api/v1/customers/cus_{nobody}/services"), &service).problem(404);
    for verb in ["suspend", "activate"] {
        api.post(&format!("/api/v1/services/svc_{nobody}/{verb}"), &json!({})).problem(404);
    }
}

fn a_request_sent_again_under_its_key_gets_the_first_answer(lab: &mut Lab) {
    let api = lab.api();
    let customer = json!({"name": "Asha Rao", "email": "asha@example.net"});
    let first = api.post_under("order-1", "/api/v1/customers", &customer).expect(201);
    let again = api.post_under("order-1", "/api/v1/customers", &customer).expect(201);
    assert_eq!(first, again);
    let other = json!({"name": "Binod"});
    api.post_under("order-1", "/api/v1/customers", &other).problem(INVALID);
    // A refused request leaves nothing behind: corrected, it goes under the same key.
    api.post_under("order-2", "/api/v1/customers", &json!({"nmae": "Binod"})).problem(INVALID);
    api.post_under("order-2", "/api/v1/customers", &other).expect(201);
    let listed = api.get("/api/v1/customers").expect(200);
    assert_eq!(listed["data"].as_array().map(Vec::len), Some(2), "{listed}");
    api.post("/api/v1/customers", &json!({"name": "ŠÁRKA Öttinger"})).expect(201);
    // "öTT" and "_", as a URL has them.
    for (query, count) in [("%C3%B6TT", 1), ("asha%40", 1), ("_", 0)] {
        let found = api.get(&format!("/api/v1/customers?q={query}")).expect(200);
        assert_eq!(found["data"].as_array().map(Vec::len), Some(count), "{query}: {found}");
    }
}

fn described_resources_work_like_the_others(lab: &mut Lab) {
    let api = lab.api();
    let label = json!({"name": "VIP", "kind": "customer", "colour": "#1c7ed6"});
    let answer = api.post("/api/v1/labels", &label);
    let label = check_created(lab, &answer, &label, "lbl", "labels");
    api.post("/api/v1/labels", &json!({"name": "X", "kind": "dog"})).blames(INVALID, "/kind");
    let found = api.get("/api/v1/labels?name[contains]=vi&sort=-name&total=true").expect(200);
    assert_eq!((&found["total"], &found["data"][0]["id"]), (&json!(1), &label["id"]));
    api.get("/api/v1/labels?colour=red").problem(INVALID);
    let path = format!("/api/v1/labels/{}", label["id"].as_str().expect("an id"));
    let changed = api.patch(&path, &json!({"description": "calls first"})).expect(200);
    assert_eq!(changed["version"], 2);
}
