//! Length and octets.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What came.
pub(super) enum Frame {
    /// A message.
    Message(Vec<u8>),
    /// A message longer than it may be; its octets are not read.
    TooLong(usize),
    /// The other side closed between messages.
    Closed,
}

/// Reads one message.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin), max: usize) -> io::Result<Frame> {
    let mut head = [0; 4];
    if from.read(&mut head[..1]).await? == 0 {
        return Ok(Frame::Closed);
    }
    from.read_exact(&mut head[1..]).await?;
    let len = u32::from_be_bytes(head) as usize;
    if len > max {
        return Ok(Frame::TooLong(len));
    }
    // Grows with what arrives: a length alone takes no memory.
    let mut message = Vec::with_capacity(len.min(64 * 1024));
    from.take(len as u64).read_to_end(&mut message).await?;
    if message.len() < len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Frame::Message(message))
}

/// Writes one message; the caller keeps to the limits, which are far below `u32::MAX`.
pub(super) async fn write(to: &mut (impl AsyncWrite + Unpin), message: &[u8]) -> io::Result<()> {
    let len = u32::try_from(message.len()).map_err(|_| io::ErrorKind::InvalidInput)?;
    to.write_all(&len.to_be_bytes()).await?;
    to.write_all(message).await?;
    to.flush().await
}
