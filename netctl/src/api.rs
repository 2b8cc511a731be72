//! As much HTTP/1.1 as a script needs (RFC 9112): one request a connection, JSON both ways, and
//! answers whose length is told.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use model::Secret;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Longest answer.
const ANSWER_OCTETS_MAX: usize = 4 * 1024 * 1024;
/// Time for a request and its answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The API, and the token it takes.
#[derive(Debug, Clone)]
pub(crate) struct Api {
    address: SocketAddr,
    token: Secret<String>,
}

/// Why a request did not work out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("could not talk to {address}")]
    Talk { address: SocketAddr, source: io::Error },
    #[error("no answer from {0} within {seconds} s", seconds = PATIENCE.as_secs())]
    TimedOut(SocketAddr),
    #[error("the answer is not HTTP: {0}")]
    Malformed(&'static str),
    #[error("the answer is not JSON")]
    Json(#[from] serde_json::Error),
    #[error("{method} {path}: {status} {problem}")]
    Refused { method: &'static str, path: String, status: u16, problem: String },
}

impl Api {
    /// The API at an address; one that means "every address" is asked on loopback.
    pub(crate) fn new(address: SocketAddr, token: Secret<String>) -> Self {
        let ip = match address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        Self { address: SocketAddr::new(ip, address.port()), token }
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &str) -> Result<Value, ApiError> {
        self.request("GET", path, None).await
    }

    /// Makes.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.request("POST", path, Some(body)).await
    }

    /// Changes.
    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Result<Value, ApiError> {
        self.request("PATCH", path, Some(body)).await
    }

    /// Every item of a list, page by page.
    pub(crate) async fn all(&self, path: &str) -> Result<Vec<Value>, ApiError> {
        let mut items = Vec::new();
        let mut page = path.to_owned();
        let and = if path.contains('?') { '&' } else { '?' };
        loop {
            let mut answer = self.get(&page).await?;
            if let Value::Array(data) = answer["data"].take() {
                items.extend(data);
            }
            // Cursors are made of letters, digits and underscores.
            match answer["next_cursor"].as_str() {
                Some(cursor) => page = format!("{path}{and}cursor={cursor}"),
                None => return Ok(items),
            }
        }
    }

    async fn request(
        &self,
        method: &'static str,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, ApiError> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {}\r\n\
             Accept: application/json\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.address,
            self.token.expose(),
            body.len(),
        );
        let request = Secret::new(request);
        let exchange = tokio::time::timeout(PATIENCE, self.exchange(request.expose().as_bytes()));
        let answer = exchange.await.map_err(|_| ApiError::TimedOut(self.address))?;
        let answer = answer.map_err(|source| ApiError::Talk { address: self.address, source })?;
        let (status, body) = parse(&answer)?;
        if !(200..300).contains(&status) {
            let problem = problem(body);
            return Err(ApiError::Refused { method, path: path.to_owned(), status, problem });
        }
        Ok(if body.is_empty() { Value::Null } else { serde_json::from_slice(body)? })
    }

    async fn exchange(&self, request: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address).await?;
        stream.write_all(request).await?;
        let mut answer = Vec::new();
        // `Connection: close`: the end of the stream is the end of the answer.
        stream.take(ANSWER_OCTETS_MAX as u64 + 1).read_to_end(&mut answer).await?;
        if answer.len() > ANSWER_OCTETS_MAX {
            return Err(io::Error::other("the answer is longer than 4 MiB"));
        }
        Ok(answer)
    }
}

/// Splits an answer into its status and its body.
fn parse(answer: &[u8]) -> Result<(u16, &[u8]), ApiError> {
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or(ApiError::Malformed("its head does not end"))?;
    let head = std::str::from_utf8(&answer[..end])
        .map_err(|_| ApiError::Malformed("its head is not UTF-8"))?;
    let body = &answer[end + 4..];
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1."));
    let status = status.and_then(|line| line.split(' ').nth(1)?.parse().ok());
    let status = status.ok_or(ApiError::Malformed("its status line does not read"))?;
    let mut length = None;
    for line in lines {
        let (name, value) =
            line.split_once(':').ok_or(ApiError::Malformed("a header has no colon"))?;
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(ApiError::Malformed("it comes in chunks"));
        }
        if name.eq_ignore_ascii_case("content-length") {
            let value = value.trim().parse::<usize>();
            length = Some(value.map_err(|_| ApiError::Malformed("its length does not read"))?);
        }
    }
    match (status, length) {
        (204 | 304, _) => Ok((status, &[])),
        (_, None) => Err(ApiError::Malformed("its length is not told")),
        (_, Some(length)) => {
            let body = body.get(..length);
            Ok((status, body.ok_or(ApiError::Malformed("it was cut short"))?))
        }
    }
}

/// What a problem document says (RFC 9457), in one line.
fn problem(body: &[u8]) -> String {
    let document: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut line = text(&document["detail"]);
    for error in document["errors"].as_array().into_iter().flatten() {
        line.push_str(&format!("; {} {}", text(&error["pointer"]), text(&error["detail"])));
    }
    if line.is_empty() { text(&document["title"]) } else { line }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn an_answer_is_split_by_the_length_it_tells() {
        let answer = b"HTTP/1.1 201 Created\r\ncontent-length: 2\r\nX: y\r\n\r\n{}rest";
        assert_eq!(parse(answer).unwrap(), (201, &b"{}"[..]));
        assert_eq!(parse(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap(), (204, &b""[..]));
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for (answer, words) in [
            (&b""[..], "head does not end"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", "head does not end"),
            (b"SSH-2.0-x\r\n\r\n", "status line"),
            (b"HTTP/1.1 abc\r\n\r\n", "status line"),
            (b"HTTP/1.1 200 OK\r\nnonsense\r\n\r\n", "no colon"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "does not read"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", "cut short"),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "chunks"),
            (b"HTTP/1.1 200 OK\r\n\r\n{}", "not told"),
            (b"HTTP/1.1 200 \xff\r\n\r\n", "UTF-8"),
        ] {
            let error = parse(answer).unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn a_problem_is_one_line() {
        let body = json!({
            "title": "Conflict", "detail": "this name is taken",
            "errors": [{ "pointer": "/name", "detail": "there is one already" }],
        });
        assert_eq!(
            problem(body.to_string().as_bytes()),
            "this name is taken; /name there is one already"
        );
        assert_eq!(problem(b"{\"title\":\"Gone\"}"), "Gone");
        assert_eq!(problem(b"<html>"), "");
    }

    /// Answers one request after another; returns what it was asked.
    async fn serve(answers: Vec<String>) -> (SocketAddr, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let octets = stream.read(&mut request).await.unwrap();
                asked.push(String::from_utf8(request[..octets].to_vec()).unwrap());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (address, serving)
    }

    fn ok(body: &Value) -> String {
        let body = body.to_string();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    }

    #[tokio::test]
    async fn lists_are_read_to_their_end() {
        let (address, serving) = serve(vec![
            ok(&json!({ "data": [1, 2], "next_cursor": "c1" })),
            ok(&json!({ "data": [3], "next_cursor": null })),
        ])
        .await;
        let api = Api::new(address, "t0ken".into());
        assert_eq!(api.all("/api/v1/plans").await.unwrap(), [1, 2, 3]);
        let asked = serving.await.unwrap();
        assert!(asked[0].starts_with("GET /api/v1/plans HTTP/1.1\r\n"), "{}", asked[0]);
        assert!(asked[0].contains("\r\nAuthorization: Bearer t0ken\r\n"), "{}", asked[0]);
        assert!(asked[1].starts_with("GET /api/v1/plans?cursor=c1 "), "{}", asked[1]);
    }

    #[tokio::test]
    async fn a_refusal_says_what_was_asked_and_why() {
        let body = "{\"detail\":\"no such plan\"}";
        let answer = format!("HTTP/1.1 422 X\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let (address, serving) = serve(vec![answer]).await;
        let api = Api::new(address, "t0ken".into());
        let error = api.post("/x", &json!({ "a": "é" })).await.unwrap_err();
        assert_eq!(error.to_string(), "POST /x: 422 no such plan");
        let asked = serving.await.unwrap();
        assert!(asked[0].contains("Content-Length: 10\r\n"), "octets, not characters");
    }
}
