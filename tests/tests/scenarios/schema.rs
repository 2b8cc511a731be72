//! The API against its own description.
//!
//! Schemathesis reads the served document and sends what it allows, and what it does not: odd
//! values, missing and unknown fields, wrong methods, calls in a row. No answer may be a 5xx,
//! have a status, a media type or a header the document does not name, or another shape.

use std::path::PathBuf;
use std::process::{Command, Output};

use lab::Lab;
use serde_json::json;

/// How long schemathesis may take, seconds, in the suite and in its long form; it ends in order
/// then.
const SECONDS: [&str; 2] = ["75", "3600"];
/// Cases per operation in each of its phases.
const EXAMPLES: [&str; 2] = ["25", "250"];
/// The same cases each time.
const SEED: &str = "20";

/// What an answer is held against.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,\
                      unsupported_method,allow_header_conformance";

/// A program that `tests/venv` installed, beside what was built.
pub(crate) fn python(program: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let target = test.ancestors().nth(3).expect("a test lies in target/PROFILE/deps");
    let path = target.join("venv/bin").join(program);
    assert!(path.exists(), "{} is missing: run tests/run, or tests/venv", path.display());
    path
}

/// An installation with a record of most kinds, so that there is something to answer with.
fn office() -> Lab {
    let mut lab = Lab::embedded();
    let isp = lab.isp();
    let api = lab.api();
    let label = json!({"name": "VIP", "kind": "customer", "colour": "#1c7ed6"});
    let label = api.post("/api/v1/labels", &label).created();
    let put = json!({"customer_id": isp.customer, "label_id": label});
    api.post("/api/v1/customer-labels", &put).created();
    let field = json!({"entity": "customer", "key": "route", "label": "Route", "kind": "integer"});
    api.post("/api/v1/custom-fields", &field).created();
    let custom = json!({"custom": {"route": 7}});
    api.patch(&format!("/api/v1/customers/{}", isp.customer), &custom).expect(200);
    lab
}

fn told(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_api_answers_as_its_description_says() {
    let lab = office();
    let document = lab.api().get("/api/v1/openapi.json");
    assert_eq!(document.expect(200)["openapi"], "3.1.0");
    assert_eq!(lab.api().with_token(None).get("/api/v1/openapi.json").status, 401);
    let place = tempfile::tempdir().expect("make a directory");
    let file = place.path().join("openapi.json");
    std::fs::write(&file, &document.text).expect("write a file");

    let valid = Command::new(python("python"))
        .args(["-m", "openapi_spec_validator"])
        .arg(&file)
        .output()
        .expect("run the validator");
    assert!(valid.status.success(), "{}", told(&valid));

    let long = usize::from(lab::long());
    let token = lab.api().token().expect("the lab has a token");
    let ended = Command::new(python("schemathesis"))
        .arg("run")
        .arg(&file)
        .args(["--url", &lab.console_url()])
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--checks", CHECKS, "--seed", SEED, "--generation-deterministic"])
        // One: Python 3.11 loses count of its recursion when two threads parse at once.
        .args(["--max-examples", EXAMPLES[long], "--max-time", SECONDS[long], "--workers", "1"])
        .args(["--request-timeout", "10", "--no-color"])
        .args(["--warnings", "off"])
        // It looks for settings and keeps what it found in the directory it is started in.
        .current_dir(place.path())
        .output()
        .expect("run schemathesis");
    assert!(ended.status.success(), "{}", told(&ended));
    println!("{}", told(&ended));
    // Nothing that happened was a fault of ours that the answers did not show.
    let log = lab.log();
    let failed: Vec<&str> = log.lines().filter(|line| line.contains("request failed")).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}
