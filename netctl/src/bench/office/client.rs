//! One HTTP/1.1 connection that is kept (RFC 9112), asked one request after another.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use model::Secret;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::super::BenchError;

/// Time for an answer, or for the next piece of a long one.
const PATIENCE: Duration = Duration::from_secs(60);
/// Longest answer that is kept; of a longer one the rest is counted and dropped.
const KEPT_OCTETS_MAX: usize = 4 * 1024 * 1024;
/// Longest line of a head.
const LINE_OCTETS_MAX: u64 = 16 * 1024;

/// A connection, and the token it asks with.
pub(super) struct Client {
    server: SocketAddr,
    stream: BufReader<TcpStream>,
    head: Secret<String>,
}

/// An answer.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    /// Of the body, as it came.
    pub(super) octets: u64,
}

impl Client {
    /// Connects.
    pub(super) async fn connect(
        server: SocketAddr,
        token: &Secret<String>,
    ) -> Result<Self, BenchError> {
        let connected = tokio::time::timeout(PATIENCE, TcpStream::connect(server)).await;
        let stream = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let stream = stream.and_then(|stream| stream.set_nodelay(true).map(|()| stream));
        let stream = stream.map_err(|source| BenchError::Talk { server, source })?;
        let head = format!(
            "Host: {server}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n",
            token.expose()
        );
        let stream = BufReader::with_capacity(64 * 1024, stream);
        Ok(Self { server, stream, head: Secret::new(head) })
    }

    /// Asks, and reads the whole answer.
    pub(super) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Answer, BenchError> {
        let server = self.server;
        let answered = self.exchange(method, path, body).await;
        answered.map_err(|source| BenchError::Talk { server, source })
    }

    async fn exchange(&mut self, method: &str, path: &str, body: &str) -> io::Result<Answer> {
        let request = Secret::new(format!(
            "{method} {path} HTTP/1.1\r\n{}Content-Length: {}\r\n\r\n{body}",
            self.head.expose(),
            body.len(),
        ));
        patient(self.stream.get_mut().write_all(request.expose().as_bytes())).await?;
        let status = self.line().await?;
        let status = status.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
        let mut answer = Answer { status: status.ok_or_else(odd)?, body: Vec::new(), octets: 0 };
        let (mut length, mut chunked) = (0, false);
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| odd())?;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                chunked = value.trim().eq_ignore_ascii_case("chunked");
            }
        }
        if !chunked {
            self.take(length, &mut answer).await?;
            return Ok(answer);
        }
        loop {
            let line = self.line().await?;
            let size = line.split(';').next().unwrap_or_default().trim();
            let size = u64::from_str_radix(size, 16).map_err(|_| odd())?;
            self.take(size, &mut answer).await?;
            // The line end behind a chunk, or the empty line behind the last one.
            if !self.line().await?.is_empty() {
                return Err(odd());
            }
            if size == 0 {
                return Ok(answer);
            }
        }
    }

    /// A line without its end.
    async fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        let mut bounded = (&mut self.stream).take(LINE_OCTETS_MAX);
        if patient(bounded.read_line(&mut line)).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let kept = line.trim_end_matches(['\r', '\n']).len();
        line.truncate(kept);
        Ok(line)
    }

    async fn take(&mut self, octets: u64, answer: &mut Answer) -> io::Result<()> {
        let mut left = octets;
        while left > 0 {
            let piece = patient(self.stream.fill_buf()).await?;
            if piece.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let count = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let kept = count.min(KEPT_OCTETS_MAX.saturating_sub(answer.body.len()));
            answer.body.extend_from_slice(&piece[..kept]);
            self.stream.consume(count);
            left -= count as u64;
        }
        answer.octets += octets;
        Ok(())
    }
}

fn odd() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP/1.1 as RFC 9112 has it")
}

async fn patient<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let done = tokio::time::timeout(PATIENCE, step).await;
    done.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn answers_are_read_by_length_and_in_chunks_on_one_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut asked = String::new();
            for answer in [
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\n\r\n",
                "HTTP/1.1 204 No Content\r\n\r\n",
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
            ] {
                let mut request = vec![0; 4096];
                let octets = stream.read(&mut request).await.unwrap();
                asked.push_str(std::str::from_utf8(&request[..octets]).unwrap());
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        let mut client = Client::connect(server, &Secret::from("t0ken")).await.unwrap();
        for (status, body) in [(200, "abc"), (200, "def"), (204, "")] {
            let answer = client.ask("POST", "/x", "{}").await.unwrap();
            assert_eq!((answer.status, answer.octets), (status, body.len() as u64));
            assert_eq!(answer.body, body.as_bytes());
        }
        let error = client.ask("GET", "/x", "").await.err().unwrap();
        assert!(error.to_string().contains(&server.to_string()), "{error}");
        let asked = serving.await.unwrap();
        assert!(asked.contains("POST /x HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("\r\nAuthorization: Bearer t0ken\r\n"), "{asked}");
    }
}
