#!/usr/bin/env bash
# Builds the programs of Wasm sandboxes (guests/) so that the same sources give the same bytes, and
# packs them into crates/sandbox-runtime-wasm/prebuilt, which is embedded in preference to building.
#
#   scripts/guests.sh            build, and write prebuilt/
#   scripts/guests.sh --check    build, and compare with prebuilt/: refused with another rustc
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/install.sh

target=wasm32-wasip1
prebuilt=crates/sandbox-runtime-wasm/prebuilt
manifest=$prebuilt/manifest
work=target/guests-release

case ${1-} in
"" | --check) ;;
*)
    echo "usage: scripts/guests.sh [--check]" >&2
    exit 2
    ;;
esac

if ! rustup target list --installed | grep -qx "$target"; then
    echo "Rust's target $target is missing: rustup target add $target" >&2
    exit 1
fi
install_packages xz=xz-utils

rustc=$(rustc --version)
if [[ ${1-} == --check ]]; then
    if [[ ! -f $manifest ]]; then
        echo "there is no $manifest to compare with: run scripts/guests.sh" >&2
        exit 1
    fi
    was=$(sed -n 's/^rustc //p' "$manifest")
    if [[ $was != "$rustc" ]]; then
        echo "the programs were built with $was, and this is $rustc: nothing can be compared" >&2
        exit 1
    fi
fi

# The places of sources are in panic messages: the same for everybody.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
sysroot=$(rustc --print sysroot)
flags="--remap-path-prefix=$PWD/guests=/guests --remap-path-prefix=$cargo_home/registry/src=/registry"
flags+=" --remap-path-prefix=$sysroot=/rust"

env -u CARGO_TARGET_DIR -u CARGO_ENCODED_RUSTFLAGS -u RUSTC_WRAPPER -u RUSTC_WORKSPACE_WRAPPER \
    RUSTFLAGS="$flags" CARGO_INCREMENTAL=0 SOURCE_DATE_EPOCH=0 \
    cargo build --manifest-path guests/Cargo.toml --release --locked --bins \
    --workspace --exclude sandbox-guest-tests --target "$target" --target-dir "$work"

# The name of a package's program: of its [[bin]], or the package's own.
program_name() {
    awk -F'"' '/^\[\[bin\]\]/ {bin = 1} /^name/ {if (bin) {print $2; found = 1; exit} first = first ? first : $2}
        END {if (!found) print first}' "$1"
}

# The programs of a module, with commas between them; nothing for a module of one program.
applets() {
    [[ ! -f $1/applets ]] || grep -v '^#' "$1/applets" | paste -sd, -
}

new=$(mktemp -d)
trap 'rm -rf "$new"' EXIT
echo "rustc $rustc" >"$new/manifest"
for main in guests/*/src/main.rs; do
    package=${main%/src/main.rs}
    [[ $package == guests/tests ]] && continue
    name=$(program_name "$package/Cargo.toml")
    wasm=$work/$target/release/$name.wasm
    digest=$(sha256sum "$wasm" | cut -d' ' -f1)
    size=$(stat -c %s "$wasm")
    echo "guest $name $digest $size $(applets "$package")" | sed 's/ $//' >>"$new/manifest"
    [[ ${1-} == --check ]] || xz --format=xz --check=crc32 -9e --threads=1 --stdout "$wasm" >"$new/$name.wasm.xz"
done

if [[ ${1-} == --check ]]; then
    if ! diff -u "$manifest" "$new/manifest"; then
        echo "prebuilt/ is not what guests/ gives: run scripts/guests.sh and commit what it writes" >&2
        exit 1
    fi
    for packed in "$prebuilt"/*.wasm.xz; do
        name=$(basename "$packed" .wasm.xz)
        digest=$(xz --decompress --stdout "$packed" | sha256sum | cut -d' ' -f1)
        if ! grep -q "^guest $name $digest " "$manifest"; then
            echo "$packed is not what the manifest says" >&2
            exit 1
        fi
    done
    echo "prebuilt/ is what guests/ gives."
    exit
fi

rm -rf "$prebuilt"
mkdir -p "$prebuilt"
cp "$new"/* "$prebuilt"
du -ch "$prebuilt"/* | sed 's/^/  /'
