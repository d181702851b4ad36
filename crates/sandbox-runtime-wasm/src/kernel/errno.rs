//! Why a call of a guest failed, by preview 1's numbers.

use std::fmt;

use crate::fs;

/// A result whose error is an [`Errno`].
pub(crate) type Result<T, E = Errno> = std::result::Result<T, E>;

/// An error number of WASI preview 1; the names are Linux's, without the `E`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Errno(u16);

macro_rules! errnos {
    ($($name:ident = $number:literal),* $(,)?) => {
        #[expect(dead_code, reason = "the list is whole, as far as anything here could answer it")]
        impl Errno {
            $(pub(crate) const $name: Self = Self($number);)*

            /// The name Linux has for it, such as `ENOENT`.
            pub(crate) const fn name(self) -> &'static str {
                match self.0 {
                    $($number => concat!("E", stringify!($name)),)*
                    _ => "E?",
                }
            }
        }
    };
}

errnos! {
    TOOBIG = 1,
    ACCES = 2,
    ADDRINUSE = 3,
    ADDRNOTAVAIL = 4,
    AFNOSUPPORT = 5,
    AGAIN = 6,
    ALREADY = 7,
    BADF = 8,
    BUSY = 10,
    CHILD = 12,
    CONNABORTED = 13,
    CONNREFUSED = 14,
    CONNRESET = 15,
    DESTADDRREQ = 17,
    EXIST = 20,
    FAULT = 21,
    FBIG = 22,
    HOSTUNREACH = 23,
    ILSEQ = 25,
    INPROGRESS = 26,
    INTR = 27,
    INVAL = 28,
    IO = 29,
    ISCONN = 30,
    ISDIR = 31,
    LOOP = 32,
    MFILE = 33,
    MLINK = 34,
    MSGSIZE = 35,
    NAMETOOLONG = 37,
    NETUNREACH = 40,
    NFILE = 41,
    NOBUFS = 42,
    NOENT = 44,
    NOEXEC = 45,
    NOMEM = 48,
    NOPROTOOPT = 50,
    NOSPC = 51,
    NOSYS = 52,
    NOTCONN = 53,
    NOTDIR = 54,
    NOTEMPTY = 55,
    NOTSOCK = 57,
    NOTSUP = 58,
    NOTTY = 59,
    NXIO = 60,
    OVERFLOW = 61,
    PERM = 63,
    PIPE = 64,
    PROTONOSUPPORT = 66,
    PROTOTYPE = 67,
    RANGE = 68,
    ROFS = 69,
    SPIPE = 70,
    SRCH = 71,
    TIMEDOUT = 73,
    XDEV = 75,
    NOTCAPABLE = 76,
}

impl Errno {
    /// The number that the guest sees; never 0.
    pub(crate) const fn number(self) -> i32 {
        self.0 as i32
    }

    /// What a host function answers: 0, or the number.
    pub(crate) fn answer(result: Result<()>) -> i32 {
        match result {
            Ok(()) => 0,
            Err(errno) => errno.number(),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<fs::Errno> for Errno {
    fn from(errno: fs::Errno) -> Self {
        match errno {
            fs::Errno::BadHandle => Self::BADF,
            fs::Errno::Busy => Self::BUSY,
            fs::Errno::Exists => Self::EXIST,
            fs::Errno::FileTooBig => Self::FBIG,
            fs::Errno::Invalid => Self::INVAL,
            fs::Errno::IsDirectory => Self::ISDIR,
            fs::Errno::Loop => Self::LOOP,
            fs::Errno::TooManyLinks => Self::MLINK,
            fs::Errno::NameTooLong => Self::NAMETOOLONG,
            fs::Errno::TooManyHandles => Self::NFILE,
            fs::Errno::NotFound => Self::NOENT,
            fs::Errno::NoSpace => Self::NOSPC,
            fs::Errno::NotDirectory => Self::NOTDIR,
            fs::Errno::NotEmpty => Self::NOTEMPTY,
            fs::Errno::NotPermitted => Self::PERM,
        }
    }
}
