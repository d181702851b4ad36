//! The bytes of a file, in shared chunks.

use std::sync::Arc;

use rpds::RedBlackTreeMapSync;

/// The size of a chunk in bytes: what the first write after a fork copies at most.
pub const CHUNK_BYTES: u64 = 64 * 1024;
/// The unit in bytes in which a chunk is charged to the quota. It covers what keeping a chunk
/// costs, so that a file of single bytes far apart is no way around the quota.
pub const BLOCK_BYTES: u64 = 512;

/// A file's bytes. A clone shares every chunk; a chunk that is not there, and what is missing at
/// the end of one, reads as zeros.
#[derive(Debug, Clone)]
pub(super) struct Content {
    size: u64,
    charged: u64,
    chunks: RedBlackTreeMapSync<u64, Arc<Vec<u8>>>,
}

impl Content {
    pub(super) fn new() -> Self {
        Self {
            size: 0,
            charged: 0,
            chunks: RedBlackTreeMapSync::new_sync(),
        }
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// What this costs of the quota, in bytes.
    pub(super) fn charged(&self) -> u64 {
        self.charged
    }

    /// The chunks that are there, in order, each with its number.
    pub(super) fn chunks(&self) -> impl Iterator<Item = (u64, &Arc<Vec<u8>>)> {
        self.chunks.iter().map(|(index, chunk)| (*index, chunk))
    }

    /// The chunk's address: equal for two contents that share it.
    #[cfg(test)]
    pub(super) fn chunk_address(&self, index: u64) -> Option<usize> {
        self.chunks
            .get(&index)
            .map(|chunk| Arc::as_ptr(chunk) as usize)
    }

    /// Whether both have the very same chunks.
    pub(super) fn shares_all_with(&self, other: &Self) -> bool {
        let chunks = || self.chunks.iter().zip(other.chunks.iter());
        self.size == other.size
            && self.chunks.size() == other.chunks.size()
            && chunks().all(|((i, one), (j, other))| i == j && Arc::ptr_eq(one, other))
    }

    /// The address of the first chunk; 0 when there is none.
    pub(super) fn first_chunk(&self) -> usize {
        let first = self.chunks.first();
        first.map_or(0, |(_, chunk)| Arc::as_ptr(chunk) as usize)
    }

    /// Reads at `offset`; answers how many bytes there were.
    pub(super) fn read(&self, offset: u64, into: &mut [u8]) -> usize {
        let available = self.size.saturating_sub(offset);
        let wanted = length(into.len() as u64, available);
        let mut done = 0;
        for piece in pieces(offset, wanted) {
            let out = &mut into[done..done + piece.len];
            out.fill(0);
            if let Some(chunk) = self.chunks.get(&piece.chunk)
                && let Some(held) = chunk.get(piece.start..)
            {
                let held = &held[..held.len().min(piece.len)];
                out[..held.len()].copy_from_slice(held);
            }
            done += piece.len;
        }
        wanted
    }

    /// What [`write`](Self::write) of `len` bytes at `offset` would charge on top.
    pub(super) fn cost_of_write(&self, offset: u64, len: usize) -> u64 {
        pieces(offset, len)
            .map(|piece| {
                let held = self.chunks.get(&piece.chunk).map_or(0, |c| c.len());
                blocks(held.max(piece.start + piece.len)) - blocks(held)
            })
            .sum()
    }

    /// Writes at `offset`, leaving a hole before it where the file was shorter.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) {
        let mut rest = bytes;
        for piece in pieces(offset, bytes.len()) {
            let (now, later) = rest.split_at(piece.len);
            rest = later;
            if !self.chunks.contains_key(&piece.chunk) {
                self.chunks.insert_mut(piece.chunk, Arc::default());
            }
            let Some(chunk) = self.chunks.get_mut(&piece.chunk) else {
                continue;
            };
            let chunk = Arc::make_mut(chunk);
            let end = piece.start + piece.len;
            let before = blocks(chunk.len());
            if chunk.len() < end {
                chunk.resize(end, 0);
            }
            self.charged += blocks(chunk.len()) - before;
            chunk[piece.start..end].copy_from_slice(now);
        }
        if !bytes.is_empty() {
            self.size = self.size.max(offset + bytes.len() as u64);
        }
    }

    /// Cuts off, or lengthens by a hole, which costs nothing.
    pub(super) fn set_size(&mut self, size: u64) {
        if size < self.size {
            self.cut(size);
        }
        self.size = size;
    }

    fn cut(&mut self, size: u64) {
        let first_gone = size.div_ceil(CHUNK_BYTES);
        let gone: Vec<u64> = self.chunks.range(first_gone..).map(|(i, _)| *i).collect();
        for index in gone {
            self.charged -= self.chunks.get(&index).map_or(0, |c| blocks(c.len()));
            self.chunks.remove_mut(&index);
        }
        let keep = (size % CHUNK_BYTES) as usize;
        if keep > 0
            && let Some(chunk) = self.chunks.get_mut(&(size / CHUNK_BYTES))
            && chunk.len() > keep
        {
            // Copies what stays, not what goes.
            self.charged -= blocks(chunk.len()) - blocks(keep);
            *chunk = Arc::new(chunk[..keep].to_vec());
        }
    }
}

fn blocks(len: usize) -> u64 {
    (len as u64).div_ceil(BLOCK_BYTES) * BLOCK_BYTES
}

fn length(asked: u64, available: u64) -> usize {
    // At most `asked`, which was a length of memory.
    asked.min(available) as usize
}

struct Piece {
    chunk: u64,
    start: usize,
    len: usize,
}

/// The parts of chunks that `len` bytes at `offset` fall into.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = Piece> {
    let mut at = offset;
    let mut left = len as u64;
    std::iter::from_fn(move || {
        if left == 0 {
            return None;
        }
        let start = at % CHUNK_BYTES;
        let len = left.min(CHUNK_BYTES - start);
        let piece = Piece {
            chunk: at / CHUNK_BYTES,
            start: start as usize,
            len: len as usize,
        };
        at += len;
        left -= len;
        Some(piece)
    })
}
