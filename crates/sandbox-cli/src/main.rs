//! The `sandbox` program.

fn main() -> ! {
    sandbox_cli::main()
}
