//! Every route, with the ids of another tenant in every place that takes one.
//!
//! Two partners beside each other and one below the first have records of every entity that can
//! be created, whose texts carry their owner's mark. Then each asks for what is another's: in
//! addresses, references, filters, `organisation_id`, search, cursors, exports. The answer is
//! that of an id that never existed, octet for octet, and no answer carries a mark that is not
//! the asker's to see. All of it is driven by [`super::NEEDS`] and the descriptions: what is
//! added there is attacked.
//!
//! - [`bodies`]: a body that an entity takes, found by asking.
//! - [`world`]: the tenants, and what they have.

mod bodies;
mod world;

use actix_web::http::Method;
use serde_json::{Value as Json, json};

use super::NEEDS;
use crate::entity::registry::{self, ENTITIES};
use crate::entity::{Entity, Field, Flags, Kind, Scope, Verbs};
use world::{Answer, Tenant, World, worlds};

/// An id that never was, of a kind.
fn nobody(prefix: &str) -> String {
    model::id::show(prefix, uuid::Uuid::now_v7())
}

/// Asks twice, with the other's id and with one that never was; the answers must be the same.
async fn same(
    world: &World,
    by: &Tenant,
    at: &str,
    theirs: &str,
    request: impl Fn(&str) -> (Method, String, Option<Json>),
) -> Answer {
    let prefix = theirs.split_once('_').map_or("", |(prefix, _)| prefix);
    let never = nobody(prefix);
    let mut answers = Vec::new();
    for id in [theirs, never.as_str()] {
        let (method, path, body) = request(id);
        let mut answer = world.ask(by, method, &path, body.as_ref(), &[]).await;
        answer.body = answer.body.replace(id, "ID");
        answers.push(answer);
    }
    let never = answers.pop().unwrap();
    let theirs = answers.pop().unwrap();
    assert_eq!(theirs, never, "{at}: {} learns that it is there", by.name);
    theirs
}

/// Pairs of who asks and whom it concerns, where the asker may not read what is the other's own.
fn pairs(world: &World) -> Vec<(&Tenant, &Tenant)> {
    let all = world.tenants.iter();
    let pairs = all.flat_map(|by| world.tenants.iter().map(move |of| (by, of)));
    pairs.filter(|(by, of)| !by.reads(of, Scope::Own)).collect()
}

/// The methods and patterns of the API, in one order.
fn routes() -> Vec<(&'static str, Method)> {
    let mut routes: Vec<_> =
        NEEDS.all().map(|(pattern, method, _)| (pattern, method.clone())).collect();
    routes.sort_by_key(|(pattern, method)| (*pattern, method.to_string()));
    routes
}

/// The entity whose id a pattern takes, and what follows.
fn of_pattern(pattern: &str) -> Option<(&'static Entity, &str)> {
    let (before, after) = pattern.split_once("/{id}")?;
    Some((registry::by_path(before.rsplit('/').next()?)?, after))
}

/// Ids in addresses.
async fn attack_addresses(world: &World) -> usize {
    let mut attacks = 0;
    for (by, of) in pairs(world) {
        for (pattern, method) in routes() {
            let Some((before, _)) = pattern.split_once("/{id}") else { continue };
            let known = of_pattern(pattern);
            // What is no entity is tried with whatever the other has.
            let entity = known.map_or("customer", |(entity, _)| entity.name);
            if known.is_none() && !before.starts_with(super::API) {
                continue;
            }
            let reads = method == Method::GET && known.is_some_and(|(e, _)| by.reads(of, e.scope));
            let ids = match before.ends_with("/organisations") {
                true => vec![of.organisation.to_string()],
                false => of.ids(entity),
            };
            for id in ids.iter().filter(|_| !reads) {
                let valid = match (method.as_str(), known) {
                    ("PATCH", Some((entity, _))) => Some(world.change(by, entity)),
                    ("POST", Some((_, after))) => {
                        let nested = registry::by_path(after.trim_start_matches('/'));
                        nested.map(|nested| {
                            let mut body = by.body(nested);
                            // Whose it is stands in the address.
                            if let (Some(home), Some(body)) = (nested.home, body.as_object_mut()) {
                                body.remove(home);
                            }
                            body
                        })
                    }
                    _ => None,
                };
                let bodies = [valid, Some(json!({})), None];
                for body in bodies {
                    let at = format!("{method} {pattern} of {} with {body:?}", of.name);
                    let path = |id: &str| pattern.replace("{id}", id);
                    let request = |id: &str| (method.clone(), path(id), body.clone());
                    let answer = same(world, by, &at, id, request).await;
                    assert!([404, 405, 422].contains(&answer.status), "{at}: {answer:?}");
                    let asks_nothing = matches!(method.as_str(), "GET" | "DELETE");
                    if asks_nothing || pattern.ends_with("/restore") {
                        assert_eq!(answer.status, 404, "{at}: {answer:?}");
                    }
                    if method == Method::PATCH && body.as_ref().is_some_and(|b| *b != json!({})) {
                        assert_eq!(answer.status, 404, "{at}: {answer:?}");
                    }
                    attacks += 1;
                }
                // Another's version neither fits nor fails: it is not there.
                let version = [("if-match", "\"1\""), ("idempotency-key", "attack")];
                let body = (method == Method::PATCH).then(|| json!({}));
                let path = pattern.replace("{id}", id);
                let answer = world.ask(by, method.clone(), &path, body.as_ref(), &version).await;
                assert_ne!(answer.status, 412, "{method} {path}");
                assert!(answer.status >= 400, "{method} {path}: {answer:?}");
            }
        }
    }
    attacks
}

/// What one shares is there for those below, to read and to use; not to change, and not for those
/// beside. Who is online on it stays everybody's own business.
async fn attack_shared(world: &World) -> usize {
    let mut attacks = 0;
    for of in &world.tenants {
        let (nas, whole) = world.share_nas(of).await;
        let path = format!("{}/nas/{nas}", super::API);
        for by in &world.tenants {
            let at = format!("the shared NAS of {} by {}", of.name, by.name);
            let below = by.reads(of, Scope::Inherited);
            let own = by.reads(of, Scope::Own);
            // Theirs alone, whoever shares the device.
            let sessions = format!("{}/sessions?limit=500", super::API);
            let answer = world.ask(by, Method::GET, &sessions, None, &[]).await;
            let rows = answer.json()["data"].as_array().cloned().unwrap_or_default();
            let rows = rows.iter().filter(|row| row["nas_id"] == nas.as_str()).count();
            let theirs = world.tenants.iter().filter(|other| by.reads(other, Scope::Own)).count();
            assert_eq!((answer.status, rows), (200, theirs), "{at}: {answer:?}");
            let list = format!("{}/nas?limit=500", super::API);
            let listed = world.ask(by, Method::GET, &list, None, &[]).await;
            assert_eq!(listed.body.contains(&nas), below, "{at}");
            let found = format!("{}/nas?q={}", super::API, &of.mark()[..5]);
            let found = world.ask(by, Method::GET, &found, None, &[]).await;
            assert_eq!(found.body.contains(&nas), below, "{at}");
            let service = by.ids("service").first().cloned().unwrap();
            let tie = |id: &str| {
                let path = format!("{}/services/{service}", super::API);
                (Method::PATCH, path, Some(json!({"nas_id": id})))
            };
            if below {
                let read = world.ask(by, Method::GET, &path, None, &[]).await;
                assert_eq!(read.status, 200, "{at}: {read:?}");
                assert!(!read.body.contains("secret"), "{at}: {read:?}");
                let (method, service, body) = tie(&nas);
                let tied = world.ask(by, method, &service, body.as_ref(), &[]).await;
                // What its vendor cannot carry is another matter.
                assert!([200, 422].contains(&tied.status), "{at}: {tied:?}");
                assert!(!tied.body.contains("there is no such record"), "{at}: {tied:?}");
                let free = json!({"nas_id": null});
                world.ask(by, Method::PATCH, &service, Some(&free), &[]).await;
            } else {
                same(world, by, &at, &nas, |id| {
                    (Method::GET, format!("{}/nas/{id}", super::API), None)
                })
                .await;
                let answer = same(world, by, &at, &nas, tie).await;
                assert_eq!(answer.status, 422, "{at}: {answer:?}");
            }
            if !own {
                let one = |id: &str| format!("{}/nas/{id}", super::API);
                for (method, after, body) in [
                    (Method::PATCH, "", Some(json!({"name": "mine"}))),
                    (Method::PATCH, "", Some(json!({"shared": false, "secret": "testing123"}))),
                    (Method::DELETE, "", None),
                    (Method::POST, "/restore", None),
                ] {
                    let request =
                        |id: &str| (method.clone(), format!("{}{after}", one(id)), body.clone());
                    let answer = same(world, by, &at, &nas, request).await;
                    assert_eq!(answer.status, 404, "{at}: {method}{after} {answer:?}");
                }
            }
            attacks += 6;
        }
        let now = world.ask(of, Method::GET, &path, None, &[]).await;
        assert_eq!(now.json(), whole, "nobody changed it");
        let gone = world.ask(of, Method::DELETE, &path, None, &[]).await;
        assert_eq!(gone.status, 204, "{gone:?}");
    }
    attacks
}

/// Ids in bodies: every reference that can be written, and the organisation.
async fn attack_bodies(world: &World) -> usize {
    let mut attacks = 0;
    for (by, of) in pairs(world) {
        for entity in ENTITIES.iter().copied() {
            let path = format!("{}/{}", super::API, entity.path);
            let own = by.ids(entity.name).first().cloned();
            for (field, theirs) in references(world, by, of, entity) {
                let at = format!("{}.{} of {} by {}", entity.name, field, of.name, by.name);
                // What belongs to another record lives where that does, whatever is asked for.
                let moot = field == "organisation_id" && entity.home.is_some();
                if entity.verbs.has(Verbs::CREATE) && own.is_some() && !moot {
                    let request = |id: &str| {
                        let mut body = by.body(entity);
                        body[field] = json!(id);
                        (Method::POST, path.clone(), Some(body))
                    };
                    let answer = same(world, by, &at, &theirs, request).await;
                    assert_eq!(answer.status, 422, "{at}: {answer:?}");
                    attacks += 1;
                }
                if let Some(own) = own.as_deref().filter(|_| entity.verbs.has(Verbs::UPDATE)) {
                    let request = |id: &str| {
                        let path = format!("{path}/{own}");
                        (Method::PATCH, path, Some(json!({ field: id })))
                    };
                    let answer = same(world, by, &at, &theirs, request).await;
                    assert_eq!(answer.status, 422, "{at}: {answer:?}");
                    attacks += 1;
                }
            }
        }
    }
    attacks
}

/// The fields of an entity that can name another's record, and one of theirs that is not the
/// asker's to name.
fn references(
    world: &World,
    by: &Tenant,
    of: &Tenant,
    entity: &'static Entity,
) -> Vec<(&'static str, String)> {
    let named = entity.all_fields().filter(|field| field.is_writable()).filter_map(|field| {
        let Kind::Reference(prefix, table) = field.kind else { return None };
        let to = registry::by_table(table);
        // A default that everybody may use is nobody's secret.
        if to.is_some_and(|to| by.reads(of, to.scope)) {
            return None;
        }
        Some((field.name, world.id_of(of, prefix)?))
    });
    named.chain([("organisation_id", of.organisation.to_string())]).collect()
}

/// Everything a list can be asked.
async fn attack_lists(world: &World) -> usize {
    let mut attacks = 0;
    for (by, of) in pairs(world) {
        for entity in ENTITIES.iter().copied() {
            let list = format!("{}/{}", super::API, entity.path);
            let export = format!("{list}/export");
            let exports = routes().iter().any(|(pattern, _)| *pattern == export);
            let mut lists = vec![list.clone()];
            lists.extend(exports.then_some(export));
            for list in &lists {
                for (parameter, theirs) in filters(world, by, of, entity) {
                    let at = format!("{list}?{parameter}");
                    let request = |id: &str| {
                        let parameter = parameter.replace("ID", id);
                        (Method::GET, format!("{list}?{parameter}"), None)
                    };
                    // A reference may be read where the record that names it may not.
                    let answer = same(world, by, &at, &theirs, request).await;
                    assert_eq!(answer.status, 200, "{at}: {answer:?}");
                    attacks += 1;
                }
                // The beginning of a word finds it, and is not the mark itself.
                for question in questions(entity, &of.mark()[..5]) {
                    let path = format!("{list}?{question}");
                    let answer = world.ask(by, Method::GET, &path, None, &[]).await;
                    assert_eq!(answer.status, 200, "{path}: {answer:?}");
                    attacks += 1;
                }
            }
            // Where the other left off reading.
            let path = format!("{list}?limit=1");
            let page = world.ask(of, Method::GET, &path, None, &[]).await.json();
            if let Some(cursor) = page["next_cursor"].as_str() {
                let path = format!("{list}?limit=500&cursor={cursor}");
                let answer = world.ask(by, Method::GET, &path, None, &[]).await;
                assert_eq!(answer.status, 200, "{path}: {answer:?}");
                attacks += 1;
            }
            // What is counted is what is shown.
            let path = format!("{list}?total=true&limit=500");
            let answer = world.ask(by, Method::GET, &path, None, &[]).await.json();
            let rows = answer["data"].as_array().map_or(0, Vec::len);
            let total = answer["total"].as_u64().unwrap_or(0);
            assert_eq!(total.min(500), rows as u64, "{path} for {}", by.name);
        }
    }
    attacks
}

/// Filters by a reference or the organisation, with `ID` where the id goes.
fn filters(
    world: &World,
    by: &Tenant,
    of: &Tenant,
    entity: &'static Entity,
) -> Vec<(String, String)> {
    let mut filters = Vec::new();
    // What is inherited may be looked at by whose it is, and what is shared too.
    let scope = if entity.scope == Scope::Shared { Scope::Inherited } else { entity.scope };
    if !by.reads(of, scope) {
        filters.push(("organisation_id=ID".to_owned(), of.organisation.to_string()));
    }
    for field in entity.all_fields().filter(|field| field.flags.has(Flags::FILTERABLE)) {
        let Kind::Reference(prefix, table) = field.kind else { continue };
        let Some(theirs) = world.id_of(of, prefix) else { continue };
        // Who inherits both the record and what it names may look for one by the other.
        let to = registry::by_table(table);
        let inherits = |to: &Entity| by.reads(of, to.scope) && by.reads(of, entity.scope);
        if to.is_some_and(inherits) {
            continue;
        }
        for op in ["", "[ne]", "[in]"] {
            filters.push((format!("{}{op}=ID", field.name), theirs.clone()));
        }
    }
    filters
}

/// Searches for the other's mark, in every order, also among what was deleted.
fn questions(entity: &'static Entity, mark: &str) -> Vec<String> {
    let mut questions = vec![format!("q={mark}"), "deleted=true".to_owned(), String::new()];
    for field in entity.all_fields() {
        let text = matches!(field.kind, Kind::Text(_) | Kind::Email);
        if field.flags.has(Flags::FILTERABLE) && text {
            questions.push(format!("{}[contains]={mark}", field.name));
            questions.push(format!("{}[gte]={mark}", field.name));
        }
        if field.flags.has(Flags::SORTABLE) {
            questions.push(format!("sort=-{}", field.name));
        }
    }
    questions.retain(|question| !question.contains("[gte]") || !is_email(entity, question));
    questions
}

fn is_email(entity: &Entity, question: &str) -> bool {
    let name = question.split('[').next().unwrap_or("");
    entity.field(name).is_some_and(|field: &Field| field.kind == Kind::Email)
}

/// Every route that takes no id.
async fn attack_the_rest(world: &World) -> usize {
    let mut attacks = 0;
    for by in &world.tenants {
        for (pattern, method) in routes() {
            let api = pattern.starts_with(super::API);
            if method == Method::GET && api && !pattern.contains("{id}") {
                let path = pattern.replace("{entity}", "customers");
                world.ask(by, method, &path, None, &[]).await;
                attacks += 1;
            }
        }
    }
    attacks
}

/// Another's records among those that a job shall change.
async fn attack_bulk(world: &World) -> usize {
    let mut attacks = 0;
    for (by, of) in pairs(world) {
        for entity in ENTITIES.iter().copied() {
            let pattern = format!("{}/{}/bulk", super::API, entity.path);
            if !routes().iter().any(|(own, _)| *own == pattern) {
                continue;
            }
            let Some(theirs) = of.ids(entity.name).first().cloned() else { continue };
            let never = nobody(entity.prefix);
            let own = entity.actions.iter().map(|action| action.name);
            for action in own.chain(["update", "delete", "restore"]) {
                let mut order = json!({"action": action, "ids": [theirs, never]});
                if action == "update" {
                    order["set"] = world.change(by, entity);
                }
                let answer = world.ask(by, Method::POST, &pattern, Some(&order), &[]).await;
                assert!([202, 422].contains(&answer.status), "{pattern} {order}: {answer:?}");
                if answer.status == 422 {
                    continue;
                }
                world.work().await;
                let run = answer.json()["id"].as_str().unwrap().to_owned();
                let path = format!("{}/job-runs/{run}/results", super::API);
                let results = world.ask(by, Method::GET, &path, None, &[]).await.json();
                let found = results["data"].as_array().unwrap();
                let said = |id: &str| {
                    let line = found.iter().find(|line| line["id"] == id);
                    line.map(|line| (line["outcome"].clone(), line["detail"].clone()))
                };
                assert_eq!(said(&theirs), said(&never), "{pattern} {order}: {results}");
                assert_eq!(found.len(), 2, "{pattern} {order}: {results}");
                attacks += 1;
            }
        }
    }
    attacks
}

/// Every field that may be left out may be emptied, or the answer says why not.
async fn empty_every_field(world: &World) {
    let tenant = &world.tenants[1];
    for entity in ENTITIES.iter().copied().filter(|entity| entity.verbs.has(Verbs::UPDATE)) {
        let Some(id) = tenant.ids(entity.name).first().cloned() else { continue };
        let path = format!("{}/{}/{id}", super::API, entity.path);
        for field in entity.all_fields().filter(|field| field.is_writable()) {
            let body = json!({ field.name: null });
            let answer = world.ask(tenant, Method::PATCH, &path, Some(&body), &[]).await;
            assert!([200, 409, 422].contains(&answer.status), "{path} {body}: {answer:?}");
            if answer.status == 422 {
                let named = format!("\"/{}", field.name);
                assert!(answer.body.contains(&named), "{path} {body}: {answer:?}");
            }
        }
    }
}

/// A key that another used is a key that nobody used.
async fn attack_keys(world: &World) {
    let (by, of) = (&world.tenants[1], &world.tenants[0]);
    let body = json!({"name": format!("{} key", of.mark()), "kind": "customer"});
    let path = format!("{}/labels", super::API);
    let key = [("idempotency-key", "same-key")];
    let first = world.ask(of, Method::POST, &path, Some(&body), &key).await;
    assert_eq!(first.status, 201, "{first:?}");
    let again = world.ask(of, Method::POST, &path, Some(&body), &key).await;
    assert_eq!((again.status, again.json()["id"].clone()), (201, first.json()["id"].clone()));
    let own = json!({"name": "mine", "kind": "customer"});
    for body in [&own, &json!({"name": "mine too", "kind": "customer"})] {
        let answer = world.ask(by, Method::POST, &path, Some(body), &[]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let body = json!({"name": "under the key", "kind": "customer"});
    let answer = world.ask(by, Method::POST, &path, Some(&body), &key).await;
    assert_eq!((answer.status, &answer.json()["name"]), (201, &body["name"]), "{answer:?}");
}

#[actix_web::test]
async fn a_request_that_is_repeated_gets_the_first_answer() {
    for world in worlds().await {
        let by = &world.tenants[0];
        let at = |path: &str| format!("{}/{path}", super::API);
        let service = registry::by_name("service").unwrap();
        let mut body = by.body(service);
        for unique in [
            "ipv4",
            "ipv4_prefix_length",
            "ipv6_address",
            "ipv6_prefix",
            "delegated_prefix",
            "external_source",
            "external_id",
        ] {
            body[unique] = Json::Null;
        }
        body["login"] = json!("repeated");
        let made = repeated(&world, by, Method::POST, &at("services"), Some(&body), 201).await;
        assert_eq!(made["identities"][0]["value"], "repeated");
        let one = at(&format!("services/{}", made["id"].as_str().unwrap()));
        let change = json!({"login": "again"});
        let changed = repeated(&world, by, Method::PATCH, &one, Some(&change), 200).await;
        assert_eq!(changed["identities"][0]["value"], "again");
        let suspend = format!("{one}/suspend");
        let held = repeated(&world, by, Method::POST, &suspend, None, 200).await;
        assert_eq!(held["holds"].as_array().map(Vec::len), Some(1), "{held}");
        let way = json!({"kind": "mac", "value": "02:00:00:00:0a:0b"});
        let ways = format!("{one}/identities");
        let more = repeated(&world, by, Method::POST, &ways, Some(&way), 200).await;
        assert_eq!(more["identities"].as_array().map(Vec::len), Some(2), "{more}");
        assert_eq!(more["login"], "again");
        // Whose it is, and what it is, stay as long as it does.
        let roots = ["customers", "plans"].map(|path| {
            let field = if path == "customers" { "customer_id" } else { "plan_id" };
            at(&format!("{path}/{}", made[field].as_str().unwrap()))
        });
        for root in &roots {
            assert_eq!(world.ask(by, Method::DELETE, root, None, &[]).await.status, 409, "{root}");
        }
        assert_eq!(world.ask(by, Method::DELETE, &one, None, &[]).await.status, 204);
        let restored =
            repeated(&world, by, Method::POST, &format!("{one}/restore"), None, 200).await;
        assert_eq!(restored["identities"][0]["value"], "again");
        let order = json!({"action": "suspend", "ids": [made["id"]]});
        let bulk = at("services/bulk");
        let run = repeated(&world, by, Method::POST, &bulk, Some(&order), 202).await;
        let run = at(&format!("job-runs/{}", run["id"].as_str().unwrap()));
        repeated(&world, by, Method::POST, &format!("{run}/cancel"), None, 200).await;
        repeated(&world, by, Method::POST, &format!("{run}/retry"), None, 201).await;
    }
}

/// Asks twice under one key; the answers are the same, but for the word that says so.
async fn repeated(
    world: &World,
    by: &Tenant,
    method: Method,
    path: &str,
    body: Option<&Json>,
    status: u16,
) -> Json {
    let key = [("idempotency-key", path)];
    let first = world.ask(by, method.clone(), path, body, &key).await;
    assert_eq!(first.status, status, "{method} {path}: {first:?}");
    let again = world.ask(by, method.clone(), path, body, &key).await;
    let said = |answer: &Answer| -> Vec<(String, String)> {
        let headers = answer.headers.iter();
        headers.filter(|(name, _)| ["etag", "location"].contains(&name.as_str())).cloned().collect()
    };
    assert!(again.headers.iter().any(|(name, _)| name == "idempotent-replayed"), "{again:?}");
    assert_eq!(
        (again.status, again.json(), said(&again)),
        (first.status, first.json(), said(&first)),
        "{method} {path}"
    );
    first.json()
}

#[actix_web::test]
async fn nobody_learns_of_another_tenants_records() {
    for world in worlds().await {
        let before = world.everything().await;
        let mut attacks = attack_addresses(&world).await;
        attacks += attack_bodies(&world).await;
        attacks += attack_bulk(&world).await;
        assert_eq!(world.everything().await, before, "nothing of anybody's was changed");
        attacks += attack_lists(&world).await;
        // Here some may do what they do, to records of their own.
        attacks += attack_shared(&world).await;
        attacks += attack_the_rest(&world).await;
        attack_keys(&world).await;
        empty_every_field(&world).await;
        // The descriptions of the first day are good for that many.
        assert!(attacks > 1000, "{attacks} attacks");
        println!("{attacks} attacks");
    }
}
