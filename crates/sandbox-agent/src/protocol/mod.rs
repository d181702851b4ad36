#![doc = include_str!("../../PROTOCOL.md")]

pub mod cobs;
pub mod flow;
mod message;
mod packet;

pub use message::{Attached, ChannelState, Hello, Notice, Reply, Request, Tag, Welcome, WireError};
pub use packet::{
    Assembler, DATA_CHUNK, Damaged, Decoder, Encoder, Header, Kind, MAX_BODY, MORE, Packet, TooLong,
};

/// The version of the protocol; both ends have the same one, or part.
pub const VERSION: u32 = 2;
/// The most bytes of a channel's stream that may be on their way: sent and not yet acknowledged.
pub const WINDOW: u64 = 256 * 1024;
/// The longest message a client sends in bytes: the longest command, escaped.
pub const MAX_REQUEST: usize = 8 << 20;
/// The longest message an agent sends in bytes.
pub const MAX_REPLY: usize = 1 << 20;
/// The most bytes of the lines that answer a `list`.
pub const MAX_LIST: u64 = 64 << 20;
/// The most bytes of the lines that answer `processes`: their arguments take more to hold than to
/// send.
pub const MAX_PROCESSES: u64 = 16 << 20;
/// The most channels a client has open at once.
pub const MAX_CHANNELS: usize = 4096;
