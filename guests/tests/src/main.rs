//! Programs that look at a sandbox from the inside: the first argument chooses one. Each ends with
//! an abort when something is not as it should be, and says what on its standard error.

#[cfg(target_os = "wasi")]
mod areas;

fn main() {
    #[cfg(target_os = "wasi")]
    areas::run();
}
