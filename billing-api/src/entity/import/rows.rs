//! Rows of a kept file, some hundred at a time.
//!
//! Pieces are fetched and opened one after the other and read on a thread of its own. Two
//! bounded channels are between: memory does not grow with the file (a workbook apart, which
//! has its own bound), and a reader that is dropped ends the thread.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use sheet::{Item, ReadError, RowFault};
use tokio::sync::{mpsc, oneshot};

use super::{Import, piece};
use crate::domain::{Fault, Office};

/// Pieces of the file that wait to be read.
const PIECES_WAITING: usize = 2;
/// Batches of rows that wait to be written.
const BATCHES_WAITING: usize = 2;

/// A row of the file.
#[derive(Debug)]
pub(crate) struct FileRow {
    pub(crate) number: u64,
    pub(crate) cells: Result<Vec<String>, RowFault>,
}

/// Rows as they come.
pub(crate) struct FileRows {
    batches: mpsc::Receiver<Vec<FileRow>>,
    end: Option<oneshot::Receiver<Result<(), ReadError>>>,
}

impl FileRows {
    /// The next rows; nothing at the end of the file.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<FileRow>>, Fault> {
        if let Some(batch) = self.batches.recv().await {
            return Ok(Some(batch));
        }
        let Some(end) = self.end.take() else { return Ok(None) };
        match end.await {
            Ok(Ok(())) => Ok(None),
            // The database did not give a piece: not the file's fault.
            Ok(Err(ReadError::Source(error))) => Err(Fault::Internal(Box::new(error))),
            Ok(Err(error)) => Err(Fault::field("", error.to_string())),
            Err(error) => Err(Fault::Internal(Box::new(error))),
        }
    }
}

/// Reads the rows behind `after`, `at_once` in a batch. Rows with nothing in them are left out.
pub(crate) fn open(office: Arc<Office>, import: &Import, after: u64, at_once: usize) -> FileRows {
    let (pieces, waiting) = mpsc::channel(PIECES_WAITING);
    let (batches, receiver) = mpsc::channel(BATCHES_WAITING);
    let (ended, end) = oneshot::channel();
    let id = import.id;
    tokio::spawn(async move {
        for number in 0.. {
            let next = match piece(&office, id, number).await {
                Ok(Some(bytes)) => Ok(bytes),
                Ok(None) => break,
                Err(fault) => Err(io::Error::other(fault)),
            };
            let failed = next.is_err();
            if pieces.send(Some(next)).await.is_err() || failed {
                return;
            }
        }
        // Says that this is the end, and not a program that stopped.
        let _ = pieces.send(None).await;
    });
    let how = import.kept.reading();
    tokio::task::spawn_blocking(move || {
        let source = Pieces { waiting, piece: Vec::new(), at: 0, over: false };
        let mut batch = Vec::with_capacity(at_once);
        let read = sheet::read(source, &how, |item| {
            let row = match item {
                Item::Row { number, .. } if number <= after => return ControlFlow::Continue(()),
                Item::Row { cells, .. } if cells.iter().all(|cell| cell.trim().is_empty()) => {
                    return ControlFlow::Continue(());
                }
                Item::Row { number, cells, .. } => FileRow { number, cells: Ok(cells.to_vec()) },
                Item::Bad(fault) if fault.number <= after => return ControlFlow::Continue(()),
                Item::Bad(fault) => FileRow { number: fault.number, cells: Err(fault) },
            };
            batch.push(row);
            if batch.len() < at_once {
                return ControlFlow::Continue(());
            }
            let full = std::mem::replace(&mut batch, Vec::with_capacity(at_once));
            match batches.blocking_send(full) {
                Ok(()) => ControlFlow::Continue(()),
                Err(_) => ControlFlow::Break(()),
            }
        });
        if read.is_ok() && !batch.is_empty() {
            let _ = batches.blocking_send(batch);
        }
        drop(batches);
        let _ = ended.send(read.map(drop));
    });
    FileRows { batches: receiver, end: Some(end) }
}

/// The pieces as one source.
struct Pieces {
    waiting: mpsc::Receiver<Option<io::Result<Vec<u8>>>>,
    piece: Vec<u8>,
    at: usize,
    over: bool,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.piece.len() && !self.over {
            match self.waiting.blocking_recv() {
                Some(Some(next)) => (self.piece, self.at) = (next?, 0),
                Some(None) => self.over = true,
                None => return Err(io::ErrorKind::UnexpectedEof.into()),
            }
        }
        let left = &self.piece[self.at..];
        let len = left.len().min(buffer.len());
        buffer[..len].copy_from_slice(&left[..len]);
        self.at += len;
        Ok(len)
    }
}
