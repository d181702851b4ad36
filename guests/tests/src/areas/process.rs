use std::env;
use std::io::{Read, Write, stdin, stdout};

use super::raw;

/// Expects the arguments `environment`, `two words`, an empty one and `ü`, and `A` as `1=2`.
pub fn environment() {
    let args: Vec<_> = env::args().skip(1).collect();
    assert_eq!(args, ["environment", "two words", "", "ü"]);
    assert_eq!(env::var("A").as_deref(), Ok("1=2"));
    assert_eq!(env::var("EMPTY").as_deref(), Ok(""));
    assert!(env::var("NONE").is_err());
    assert!(env::var("PWD").is_ok());
}

pub fn random() {
    let mut bytes = vec![0_u8; 1 << 20];
    let at = raw::into(&mut bytes[..]);
    // SAFETY: the buffer is as long as said.
    unsafe {
        assert_eq!(raw::random_get(at, 1 << 20), 0);
        assert_eq!(raw::random_get(at, 0), 0);
        assert_eq!(raw::sched_yield(), 0);
    }
    // Every piece of it was filled: a piece without a byte over 200 is all but impossible.
    for piece in bytes.chunks(4096) {
        assert!(piece.iter().any(|byte| *byte > 200));
    }
}

/// Copies its input to its output.
pub fn echo() {
    let mut all = Vec::new();
    stdin().read_to_end(&mut all).unwrap();
    stdout().write_all(&all).unwrap();
}

/// Ends with the code that is its second argument.
pub fn exit() {
    let code = env::args().nth(2).unwrap().parse().unwrap();
    std::process::exit(code);
}

/// Raises the signal that is its second argument.
pub fn raise() {
    let signal = env::args().nth(2).unwrap().parse().unwrap();
    // SAFETY: no memory is passed.
    let errno = unsafe { raw::proc_raise(signal) };
    print!("{errno}");
}
