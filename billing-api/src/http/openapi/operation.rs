//! What a route of its own says about itself.

use actix_web::http::Method;
use serde_json::{Value as Json, json};

use super::super::access::{Need, Route};
use super::common;

/// What comes back when all is well.
#[derive(Clone, Copy)]
pub(super) enum Answer {
    /// Something nobody described.
    Any,
    /// Plain text.
    Text,
    /// JSON of this shape.
    Json(fn() -> Json),
    /// A record of this shape, with its version as entity tag.
    Record(fn() -> Json),
    /// A record of this shape that is new: 201.
    Created(fn() -> Json),
    /// A page of these.
    Page(fn() -> Json),
}

/// A parameter of the query string, or of the pattern.
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    pub(super) schema: fn() -> Json,
}

/// A route in words and shapes. One without is in the document all the same, with what its
/// pattern and its need tell.
pub(super) struct Operation {
    /// One line.
    pub(super) summary: &'static str,
    /// Parameters of the pattern that are no id of an entity.
    pub(super) path: &'static [Parameter],
    /// Parameters of the query string.
    pub(super) query: &'static [Parameter],
    /// The shape of the body, where it takes one.
    pub(super) body: Option<fn() -> Json>,
    pub(super) answer: Answer,
    /// Answers in plain text besides: status and meaning.
    pub(super) also: &'static [(u16, &'static str)],
    /// Whether it honours If-Match.
    pub(super) conditional: bool,
    /// Whether it honours If-None-Match.
    pub(super) cached: bool,
}

impl Operation {
    /// Nothing is known but the route; name what is with `..Operation::PLAIN`.
    pub(super) const PLAIN: Operation = Operation {
        summary: "",
        path: &[],
        query: &[],
        body: None,
        answer: Answer::Any,
        also: &[],
        conditional: false,
        cached: false,
    };

    /// As OpenAPI has it.
    pub(super) fn document(&self, route: &Route) -> Json {
        let pattern = route.pattern;
        let writes = route.method != Method::GET;
        let mut parameters = common::path_parameters(pattern);
        for parameter in &mut parameters {
            if let Some(own) = self.path.iter().find(|own| parameter["name"] == own.name) {
                parameter["schema"] = (own.schema)();
                parameter["description"] = json!(own.about);
            }
        }
        parameters.extend(self.query.iter().map(|parameter| {
            json!({
                "name": parameter.name,
                "in": "query",
                "description": parameter.about,
                "schema": (parameter.schema)(),
            })
        }));
        if matches!(self.answer, Answer::Page(_)) {
            parameters.push(common::parameter("cursor"));
            parameters.push(common::parameter("limit"));
        }
        if writes && route.method != Method::DELETE {
            parameters.push(common::parameter("idempotency-key"));
        }
        if self.conditional {
            parameters.push(common::parameter("if-match"));
        }
        if self.cached {
            parameters.push(common::parameter("if-none-match"));
        }
        let mut responses = match self.answer {
            // What is not told is not narrowed down.
            Answer::Any => json!({
                "200": {"description": "Done", "content": {"*/*": {}}},
                "201": {"description": "Created", "content": {"*/*": {}}},
                "202": {"description": "Taken on", "content": {"*/*": {}}},
                "204": {"description": "Done, and nothing to say"},
                "304": {"description": "As it was"},
            }),
            Answer::Text => json!({"200": text("As it is")}),
            Answer::Json(schema) => json!({"200": common::answer("As it is", &schema(), false)}),
            Answer::Record(schema) => json!({"200": common::answer("The record", &schema(), true)}),
            Answer::Created(schema) => json!({"201": common::created(&schema())}),
            Answer::Page(schema) => json!({"200": common::page(&schema())}),
        };
        for (status, meaning) in self.also {
            responses[status.to_string()] = text(meaning);
        }
        if self.cached {
            responses["304"] = json!({"description": "It is what you have"});
        }
        let mut errors = vec![];
        if route.need != Need::Public {
            errors.extend([401, 403, 404, 422, 429, 503]);
        }
        if writes {
            errors.extend([409, 412, 413, 415]);
        } else if route.need == Need::SignedIn {
            // What is about an account is refused to a token that has none.
            errors.push(409);
        }
        common::errors(&mut responses, &errors);
        let mut operation = json!({
            "operationId": operation_id(pattern, &route.method),
            "summary": self.summary(route),
            "parameters": parameters,
            "responses": responses,
        });
        let body = match (self.body, self.answer) {
            (Some(schema), _) => Some(
                json!({"required": true, "content": {"application/json": {"schema": schema()}}}),
            ),
            (None, Answer::Any) if writes => Some(json!({"content": {"*/*": {}}})),
            (None, _) => None,
        };
        if let Some(body) = body {
            operation["requestBody"] = body;
        }
        operation
    }

    fn summary(&self, route: &Route) -> String {
        match (self.summary, route.need) {
            ("", Need::Permission(permission)) => format!("Takes {permission}"),
            ("", _) => operation_id(route.pattern, &route.method).replace('_', " "),
            (summary, _) => summary.to_owned(),
        }
    }
}

/// A route that neither a list nor a description knows: what its pattern tells.
pub(super) fn unknown(pattern: &str, method: &Method) -> Json {
    let mut responses = json!({"default": {"description": "As it comes", "content": {"*/*": {}}}});
    common::errors(&mut responses, &[401, 403, 404, 422, 429, 503]);
    let id = operation_id(pattern, method);
    json!({
        "operationId": id,
        "summary": id.replace('_', " "),
        "parameters": common::path_parameters(pattern),
        "responses": responses,
    })
}

fn text(meaning: &str) -> Json {
    let schema = json!({"type": "string"});
    json!({"description": meaning, "content": {"text/plain": {"schema": schema}}})
}

/// The method and the words of the pattern: unique, as method and pattern are.
fn operation_id(pattern: &str, method: &Method) -> String {
    let rest = pattern.strip_prefix(super::super::API).unwrap_or(pattern);
    let words = rest.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.collect();
    format!("{}_{}", method.as_str().to_ascii_lowercase(), words.join("_"))
}
