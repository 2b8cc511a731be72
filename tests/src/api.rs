//! The office's side: the REST API.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use ureq::Agent;
use ureq::http::Response;

/// Texts that must never reach a log, collected while a scenario hands them out.
pub type Secrets = Arc<Mutex<Vec<String>>>;

/// A signed-in client of the API.
#[derive(Debug, Clone)]
pub struct Api {
    agent: Agent,
    base: String,
    token: Option<String>,
    secrets: Secrets,
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The header of that name.
    pub location: Option<String>,
    /// The media type, without parameters.
    pub content_type: String,
    /// The body as it came.
    pub text: String,
}

/// An HTTP client for which no status is an error.
pub fn agent() -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_global(Some(std::time::Duration::from_secs(30)))
        .build()
        .new_agent()
}

impl Api {
    /// A client of the API at `base`, `http://HOST:PORT`.
    pub fn new(base: String, token: Option<String>, secrets: Secrets) -> Self {
        Self { agent: agent(), base, token, secrets }
    }

    /// The token it calls with, where it has one.
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The same API with another token, or none.
    pub fn with_token(&self, token: Option<&str>) -> Self {
        Self { token: token.map(str::to_owned), ..self.clone() }
    }

    /// `GET`.
    pub fn get(&self, path: &str) -> Answer {
        let request = self.agent.get(self.url(path));
        answer(match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")).call(),
            None => request.call(),
        })
    }

    /// `POST` with a JSON body.
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.agent.post(self.url(path)), body)
    }

    /// `POST` with a JSON body under an Idempotency-Key.
    pub fn post_under(&self, key: &str, path: &str, body: &Value) -> Answer {
        self.send(self.agent.post(self.url(path)).header("Idempotency-Key", key), body)
    }

    /// `PATCH` with a JSON body.
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.agent.patch(self.url(path)), body)
    }

    /// DELETE.
    pub fn delete(&self, path: &str) -> Answer {
        let request = self.agent.delete(self.url(path));
        answer(match &self.token {
            Some(token) => request.header("Authorization", format!("Bearer {token}")).call(),
            None => request.call(),
        })
    }

    fn send(
        &self,
        request: ureq::RequestBuilder<ureq::typestate::WithBody>,
        body: &Value,
    ) -> Answer {
        answer(match &self.token {
            Some(token) => {
                request.header("Authorization", format!("Bearer {token}")).send_json(body)
            }
            None => request.send_json(body),
        })
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Creates a plan at 29.99 USD; returns its id.
    pub fn create_plan(&self, name: &str, download_bps: u64, upload_bps: u64) -> String {
        let plan = json!({
            "name": name,
            "price": {"amount": 2999, "currency": "USD"},
            "download_bps": download_bps,
            "upload_bps": upload_bps,
        });
        self.post("/api/v1/plans", &plan).created()
    }

    /// Creates a customer; returns its id.
    pub fn create_customer(&self, name: &str, email: &str) -> String {
        self.post("/api/v1/customers", &json!({"name": name, "email": email})).created()
    }

    /// Creates a service; returns its id.
    pub fn create_service(
        &self,
        customer: &str,
        plan: &str,
        login: &str,
        password: &str,
    ) -> String {
        self.keep_secret(password);
        let service = json!({"plan_id": plan, "login": login, "password": password});
        self.post(&format!("/api/v1/customers/{customer}/services"), &service).created()
    }

    /// Registers a MikroTik NAS; returns its id.
    pub fn create_nas(&self, name: &str, address: &str, secret: &str, coa_port: u16) -> String {
        self.keep_secret(secret);
        let nas = json!({
            "name": name,
            "address": address,
            "secret": secret,
            "vendor": "mikrotik",
            "coa_port": coa_port,
        });
        self.post("/api/v1/nas", &nas).created()
    }

    /// Puts the hold `admin` on a service.
    pub fn suspend(&self, service: &str) {
        self.post(&format!("/api/v1/services/{service}/suspend"), &json!({})).expect(200);
    }

    /// Takes the hold `admin` off a service.
    pub fn activate(&self, service: &str) {
        self.post(&format!("/api/v1/services/{service}/activate"), &json!({})).expect(200);
    }

    /// Moves a service to another plan.
    pub fn change_plan(&self, service: &str, plan: &str) {
        self.patch(&format!("/api/v1/services/{service}"), &json!({"plan_id": plan})).expect(200);
    }

    /// Every session of a login, over all pages.
    pub fn sessions(&self, login: &str) -> Vec<Value> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let after = cursor.map_or(String::new(), |cursor| format!("&cursor={cursor}"));
            let page = self.get(&format!("/api/v1/sessions?login={login}{after}")).expect(200);
            all.extend(page["data"].as_array().expect("a list has `data`").iter().cloned());
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                return all;
            }
        }
    }

    /// The session of a login with this Acct-Session-Id, if it is listed.
    pub fn session(&self, login: &str, acct_session_id: &str) -> Option<Value> {
        self.sessions(login).into_iter().find(|s| s["acct_session_id"] == acct_session_id)
    }

    fn keep_secret(&self, text: &str) {
        self.secrets.lock().expect("no test panics with the lock").push(text.to_owned());
    }
}

fn answer(result: Result<Response<ureq::Body>, ureq::Error>) -> Answer {
    let mut response = result.unwrap_or_else(|error| panic!("no HTTP answer: {error}"));
    let header = |name: &str| {
        let value = response.headers().get(name)?;
        Some(value.to_str().expect("headers are ASCII").to_owned())
    };
    let media = header("content-type").unwrap_or_default();
    Answer {
        status: response.status().as_u16(),
        location: header("location"),
        content_type: media.split(';').next().unwrap_or_default().trim().to_owned(),
        text: response.body_mut().read_to_string().expect("read an HTTP body"),
    }
}

impl Answer {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("not JSON ({error}): {} {}", self.status, self.text))
    }

    /// The body, if the status is this one.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// The id of what a `POST` created.
    #[track_caller]
    pub fn created(&self) -> String {
        let body = self.expect(201);
        body["id"].as_str().unwrap_or_else(|| panic!("no id in {body}")).to_owned()
    }

    /// The problem (RFC 9457), if the answer is one with this status.
    #[track_caller]
    pub fn problem(&self, status: u16) -> Value {
        let body = self.expect(status);
        assert_eq!(self.content_type, "application/problem+json", "{body}");
        assert_eq!(body["status"], status, "{body}");
        assert!(body["title"].as_str().is_some_and(|title| !title.is_empty()), "{body}");
        body
    }

    /// Checks that it is a problem that names this field, and no other.
    #[track_caller]
    pub fn blames(&self, status: u16, pointer: &str) {
        let body = self.problem(status);
        let errors = body["errors"].as_array().unwrap_or_else(|| panic!("no errors in {body}"));
        let pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str()).collect();
        assert_eq!(pointers, [Some(pointer)], "{body}");
        let detail = errors[0]["detail"].as_str();
        assert!(detail.is_some_and(|detail| !detail.is_empty()), "{body}");
    }
}
