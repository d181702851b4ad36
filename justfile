# `just` lists these.
_default:
    @just --list

# Everything CI checks.
ci:
    .ci/run

fmt:
    cargo fmt --all

clippy:
    cargo clippy --workspace --all-targets --all-features -- -D warnings

# Tests that need neither root nor a daemon.
test *ARGS:
    cargo nextest run --workspace --all-features {{ARGS}}

# Every test, with a private Docker daemon when none answers.
test-all *ARGS:
    scripts/test.sh {{ARGS}}

doc:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --all-features --no-deps

deny:
    cargo deny --all-features check bans licenses sources

# The benchmark tables; needs a Docker daemon.
bench *ARGS:
    cargo bench {{ARGS}}
