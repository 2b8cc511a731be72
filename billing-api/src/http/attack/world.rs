//! The tenants, and what they have.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::App;
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::test::{self, TestRequest};
use actix_web::web::Data;
use daemon::health::Health;
use daemon::lifecycle::Shutdown;
use daemon::secrets::{Keyring, sha256};
use model::{NasId, OrganisationId, RefusalId, SessionId, SystemClock, TokenId};
use serde_json::{Value as Json, json};
use store::args;
use store::testing::TestDb;

use super::bodies::{Search, candidates};
use super::routes;
use crate::config::FirstStart;
use crate::domain::Office;
use crate::entity::registry::{self, ENTITIES};
use crate::entity::{Entity, Field, Flags, Kind, Scope, Verbs};
use crate::jobs::Runner;
use crate::jobs::registry::KINDS;
use crate::store::{MIGRATIONS, access, organisation};

/// Records of each entity that each tenant gets: two, so that a list has a second page.
const EACH: usize = 2;
/// Questions until a body must have been found.
const TRIES: usize = 60;

store::migrations! {
    /// policyd's, whose sessions the office reads.
    NETWORK = "network" in "../../../../policyd/schema" { "0001_sessions" }
}

store::statements! {
    /// Somebody is online.
    SESSION = "INSERT INTO session (id, organisation_id, client_id, nas_id, acct_session_id,
        partition, login, login_key, started_at, start_reported, start_from, updated_at,
        session_time_s, policy_hash, download_octets, upload_octets, counters_flagged)
        VALUES ($1, $2, $3, $4, $5, 0, $5, $5, $6, TRUE, $6, $6, 1, 0, 1, 1, FALSE)";
    /// Somebody was refused.
    REFUSED = "INSERT INTO auth_log (id, organisation_id, nas_id, minute, login, login_key,
        station, reason, attempts, first_at, last_at)
        VALUES ($1, $2, $3, $5, $4, $4, '', 'wrong_password', 1, $5, $5)";
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Json {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// An organisation with a token that may do everything there.
pub(super) struct Tenant {
    pub(super) name: &'static str,
    pub(super) organisation: OrganisationId,
    path: String,
    token: String,
    ids: RefCell<BTreeMap<&'static str, Vec<String>>>,
    bodies: RefCell<BTreeMap<&'static str, Json>>,
}

impl Tenant {
    /// The mark in the texts of its records.
    pub(super) fn mark(&self) -> &'static str {
        self.name
    }

    /// Whether this tenant may read what is the other's, by scope.
    pub(super) fn reads(&self, other: &Tenant, scope: Scope) -> bool {
        let below = other.path.starts_with(&self.path);
        match scope {
            // What could be shared is not, unless it is said.
            Scope::Own | Scope::Shared => below,
            Scope::Inherited => below || self.path.starts_with(&other.path),
            Scope::Global => true,
        }
    }

    /// Its records of an entity.
    pub(super) fn ids(&self, entity: &str) -> Vec<String> {
        self.ids.borrow().get(entity).cloned().unwrap_or_default()
    }

    /// A body that creates a record of this entity for it.
    pub(super) fn body(&self, entity: &Entity) -> Json {
        self.bodies.borrow().get(entity.name).cloned().unwrap_or_else(|| json!({}))
    }
}

type Asked = Pin<Box<dyn Future<Output = Answer>>>;

/// An installation with its tenants.
pub(super) struct World {
    ask: Box<dyn Fn(TestRequest) -> Asked>,
    office: Arc<Office>,
    pub(super) tenants: Vec<Tenant>,
    next: Cell<usize>,
    // Gone when dropped.
    _databases: [TestDb; 2],
}

/// One on each engine.
pub(super) async fn worlds() -> Vec<World> {
    let mut worlds = Vec::new();
    let offices = ::store::testing::engines("billing").await;
    let networks = ::store::testing::engines("network").await;
    for (test, sessions) in offices.into_iter().zip(networks) {
        test.db.migrate(&MIGRATIONS).await.unwrap();
        sessions.db.migrate(&NETWORK).await.unwrap();
        let (db, network) = (test.db.clone(), sessions.db.clone());
        let office = Office::new(db, network, Keyring::ephemeral(), Arc::new(SystemClock));
        crate::first_start::prepare(&office, &FirstStart::default(), None).await.unwrap();
        let root = office.db.fetch_one(&organisation::FIND_ROOT, args![]).await.unwrap();
        let root = organisation::organisation(&root).unwrap();
        let first = tenant(&office, "zqalpha", root.id, &root.path).await;
        let second = tenant(&office, "zqbravo", root.id, &root.path).await;
        let below = tenant(&office, "zqcharlie", first.organisation, &first.path).await;
        let office = Data::new(office);
        let app = App::new()
            .app_data(office.clone())
            .app_data(Data::new(Health::new()))
            .app_data(Data::new(super::super::Web::default()))
            .configure(super::super::routes);
        let app = test::init_service(app).await;
        let tenants = vec![first, second, below];
        let world = World {
            ask: asking(app, TestRequest::to_request),
            office: office.into_inner(),
            tenants,
            next: Cell::new(0),
            _databases: [test, sessions],
        };
        world.settle().await;
        worlds.push(world);
    }
    worlds
}

fn asking<R, S, B>(app: S, made: fn(TestRequest) -> R) -> Box<dyn Fn(TestRequest) -> Asked>
where
    R: 'static,
    S: Service<R, Response = ServiceResponse<B>, Error = actix_web::Error> + 'static,
    B: MessageBody + 'static,
{
    let app = Rc::new(app);
    Box::new(move |request| {
        let app = app.clone();
        Box::pin(async move {
            let response = test::call_service(&*app, made(request)).await;
            let status = response.status().as_u16();
            let headers = response.headers().iter().map(|(name, value)| {
                (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
            });
            // How much is left depends on when one asks.
            let headers = headers.filter(|(name, _)| !name.starts_with("ratelimit"));
            let mut headers: Vec<_> = headers.collect();
            headers.sort();
            let body = test::read_body(response).await;
            Answer { status, headers, body: String::from_utf8_lossy(&body).into_owned() }
        })
    })
}

async fn tenant(
    office: &Office,
    name: &'static str,
    parent: OrganisationId,
    above: &str,
) -> Tenant {
    let id = OrganisationId::generate();
    let path = format!("{above}{}/", id.0.simple());
    let now = office.now();
    let args = args![
        id,
        Some(parent),
        path.as_str(),
        "partner",
        name,
        true,
        "USD",
        "UTC",
        "en",
        now,
        "test"
    ];
    office.db.execute(&organisation::INSERT, args).await.unwrap();
    let token = format!("lmt_{}", TokenId::generate());
    let hash = sha256(token.as_bytes()).to_vec();
    let (none, ever) = (None::<model::StaffId>, None::<model::Ts>);
    let full = json!(["full"]);
    let args = args![
        TokenId::generate(),
        id,
        name,
        hash,
        full,
        json!([]),
        none,
        ever,
        now,
        "test",
        None::<i64>
    ];
    office.db.execute(&access::INSERT_TOKEN, args).await.unwrap();
    let login = format!("{name}own");
    let args = args![
        SessionId::generate(),
        id,
        TokenId::generate(),
        TokenId::generate(),
        login.as_str(),
        now
    ];
    office.network.execute(&SESSION, args).await.unwrap();
    let args = args![RefusalId::generate(), id, NasId::generate(), login.as_str(), now];
    office.network.execute(&REFUSED, args).await.unwrap();
    let (ids, bodies) = (RefCell::default(), RefCell::default());
    Tenant { name, organisation: id, path, token, ids, bodies }
}

impl World {
    /// Asks as a tenant, and checks that the answer has no mark that is not theirs to see.
    pub(super) async fn ask(
        &self,
        by: &Tenant,
        method: Method,
        path: &str,
        body: Option<&Json>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = TestRequest::default()
            .method(method.clone())
            .uri(path)
            .peer_addr(([192, 0, 2, 9], 4711).into())
            .insert_header(("authorization", format!("Bearer {}", by.token)));
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        if let Some(body) = body {
            request = request.set_json(body);
        }
        let answer = (self.ask)(request).await;
        let said = format!("{path} {}", body.map(Json::to_string).unwrap_or_default());
        let heard = format!("{} {:?}", answer.body, answer.headers);
        for other in self.tenants.iter().filter(|other| !by.reads(other, Scope::Own)) {
            // What is inherited from above is theirs to see, and only that; what they said
            // themselves they may be told again.
            let marks = [other.mark().to_owned(), format!("{}own", other.mark())];
            let hidden = if by.reads(other, Scope::Inherited) { &marks[1..] } else { &marks[..] };
            for mark in hidden.iter().filter(|mark| !said.contains(mark.as_str())) {
                assert!(
                    !heard.to_lowercase().contains(mark.as_str()),
                    "{} sees {mark}: {method} {path} {body:?}: {answer:?}",
                    by.name
                );
            }
        }
        assert!(answer.status < 500, "{method} {path} {body:?}: {answer:?}");
        answer
    }

    /// A record of a tenant by what its id starts with.
    pub(super) fn id_of(&self, tenant: &Tenant, prefix: &str) -> Option<String> {
        if prefix == OrganisationId::PREFIX {
            return Some(tenant.organisation.to_string());
        }
        tenant.ids(registry::by_prefix(prefix)?.name).first().cloned()
    }

    /// A change that this entity takes: what a record of the tenant's was given.
    pub(super) fn change(&self, by: &Tenant, entity: &'static Entity) -> Json {
        let body = by.body(entity);
        let plain = |field: &&Field| {
            let secret = matches!(field.kind, Kind::Document(_) | Kind::Secret(_));
            let given = !body[field.name].is_null();
            field.is_writable() && !field.flags.has(Flags::ONCE) && !secret && given
        };
        let field = entity.all_fields().find(plain);
        field.map_or_else(|| json!({}), |field| json!({ field.name: body[field.name] }))
    }

    /// Creates records of every entity for everybody, those that others name first.
    async fn settle(&self) {
        for tenant in &self.tenants {
            let mut waiting: Vec<&'static Entity> =
                ENTITIES.iter().copied().filter(|e| e.verbs.has(Verbs::CREATE)).collect();
            while !waiting.is_empty() {
                let ready = |entity: &&'static Entity| {
                    entity.all_fields().filter(|field| field.flags.has(Flags::REQUIRED)).all(
                        |field| match field.kind {
                            Kind::Reference(prefix, _) => self.id_of(tenant, prefix).is_some(),
                            _ => true,
                        },
                    )
                };
                let at = waiting.iter().position(ready);
                let names: Vec<&str> = waiting.iter().map(|entity| entity.name).collect();
                let entity = waiting.remove(at.unwrap_or_else(|| panic!("{names:?} wait")));
                for _ in 0..EACH {
                    self.create(tenant, entity).await;
                }
            }
            self.act(tenant).await;
            self.collect(tenant).await;
        }
    }

    async fn create(&self, tenant: &Tenant, entity: &'static Entity) {
        let own = match entity.scope {
            Scope::Own | Scope::Shared => format!("{}own", tenant.mark()),
            _ => tenant.mark().to_owned(),
        };
        let path = format!("{}/{}", super::super::API, entity.path);
        let search = |n: usize| {
            Search::of(entity, |field| {
                candidates(field, &own, n, &|prefix| {
                    // Two records that name the same may be one too many.
                    let to = registry::by_prefix(prefix).map(|to| tenant.ids(to.name));
                    let ids = to.unwrap_or_default();
                    ids.get(n % EACH).or(ids.first()).cloned().or(self.id_of(tenant, prefix))
                })
            })
        };
        let mut search = search(self.fresh());
        let mut last = None;
        for _ in 0..TRIES {
            let body = search.body();
            let answer = self.ask(tenant, Method::POST, &path, Some(&body), &[]).await;
            if answer.status == 201 {
                let id = answer.json()["id"].as_str().unwrap().to_owned();
                tenant.ids.borrow_mut().entry(entity.name).or_default().push(id);
                tenant.bodies.borrow_mut().insert(entity.name, body);
                return;
            }
            // An organisation has one mail server.
            if answer.status == 409
                && entity.name == "mail_server"
                && !tenant.ids(entity.name).is_empty()
            {
                return;
            }
            let learned = search.learn(&answer.json());
            last = Some((body, answer));
            if !learned {
                break;
            }
        }
        panic!("no body was found that creates a {}: {last:?}", entity.name);
    }

    /// A NAS that a tenant shares, with somebody of everybody's online on it; its id, and itself.
    pub(super) async fn share_nas(&self, tenant: &Tenant) -> (String, Json) {
        let n = self.fresh();
        let body = json!({"name": format!("{} shared", tenant.mark()), "secret": "testing123",
            "address": format!("10.200.{}.{}", n / 250 % 250, n % 250 + 1), "shared": true});
        let path = format!("{}/nas", super::super::API);
        let made = self.ask(tenant, Method::POST, &path, Some(&body), &[]).await;
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let nas: NasId = id.parse().unwrap();
        for other in &self.tenants {
            let (session, login) = (SessionId::generate(), format!("{}own", other.name));
            let (client, now) = (TokenId::generate(), self.office.now());
            let args = args![session, other.organisation, client, nas, login.as_str(), now];
            self.office.network.execute(&SESSION, args).await.unwrap();
        }
        let whole = self.ask(tenant, Method::GET, &format!("{path}/{id}"), None, &[]).await;
        (id, whole.json())
    }

    /// Does the jobs that wait.
    pub(super) async fn work(&self) {
        let (_trigger, stop) = Shutdown::new();
        let mut runner = Runner::new(self.office.clone(), KINDS, stop);
        runner.turn().await.unwrap();
        runner.settle().await;
    }

    fn fresh(&self) -> usize {
        self.next.set(self.next.get() + 1);
        self.next.get()
    }

    /// Does what can be done with a record besides, so that runs, deliveries and holds exist.
    async fn act(&self, tenant: &Tenant) {
        for (pattern, method) in routes() {
            let Some((entity, rest)) = super::of_pattern(pattern) else { continue };
            if method != Method::POST || rest.is_empty() || rest == "/restore" {
                continue;
            }
            if let Some(id) = tenant.ids(entity.name).last() {
                let path = pattern.replace("{id}", id);
                self.ask(tenant, method, &path, Some(&json!({})), &[]).await;
            }
        }
    }

    /// Notes what a tenant has of the entities that only the program writes.
    async fn collect(&self, tenant: &Tenant) {
        for entity in ENTITIES.iter().filter(|entity| !entity.verbs.has(Verbs::CREATE)) {
            let path = format!(
                "{}/{}?organisation_id={}",
                super::super::API,
                entity.path,
                tenant.organisation
            );
            let answer = self.ask(tenant, Method::GET, &path, None, &[]).await.json();
            let rows = answer["data"].as_array().cloned().unwrap_or_default();
            // A tenant lists its subtree; what is meant is its own.
            let own = tenant.organisation.to_string();
            let rows = rows.iter().filter(|row| row["organisation_id"].as_str() == Some(&own));
            let ids = rows.filter_map(|row| row["id"].as_str().map(str::to_owned));
            tenant.ids.borrow_mut().insert(entity.name, ids.collect());
        }
    }

    /// Everything everybody has, to compare.
    pub(super) async fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for tenant in &self.tenants {
            for entity in ENTITIES.iter().filter(|entity| entity.verbs.has(Verbs::UPDATE)) {
                let path = format!("{}/{}?limit=500", super::super::API, entity.path);
                let mut listed = self.ask(tenant, Method::GET, &path, None, &[]).await.json();
                // Asking is noted on one's token once a minute.
                for row in listed["data"].as_array_mut().into_iter().flatten() {
                    row["used_at"] = Json::Null;
                }
                all.push(listed.to_string());
            }
        }
        all
    }
}
