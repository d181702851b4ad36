//! The shell scripts of the fallback, for any POSIX shell with `stat`, `readlink` and `find` as
//! busybox and coreutils have them. Arguments are always data: none is ever part of a script.

/// Exit codes of the scripts, apart from what shells and programs use themselves.
pub(super) const NOT_FOUND: i64 = 40;
pub(super) const CONFLICT: i64 = 41;
pub(super) const PARENT_MISSING: i64 = 42;
pub(super) const NO_USER: i64 = 43;
pub(super) const TARGET_CONFLICT: i64 = 44;
pub(super) const EXISTED: i64 = 45;

/// Starts a command: directory, program and arguments. The first line it writes says how that
/// went: `S` and the process's id, or `E` and what is wrong.
pub(super) const LAUNCH: &str = r#"
d=$1; shift
cd -- "$d" 2>/dev/null || { echo Ecwd; exit 127; }
case $1 in
*/*) [ -e "$1" ] || { echo Emissing; exit 127; }
     { [ -f "$1" ] && [ -x "$1" ]; } || { echo Edenied; exit 126; } ;;
*) command -v -- "$1" >/dev/null 2>&1 || command -v "$1" >/dev/null 2>&1 ||
     { echo Emissing; exit 127; } ;;
esac
echo "S$$"
exec "$@"
"#;

/// Writes a record about each path: the fields of `stat`, the text of a link, where it ends and
/// what stands there; each ends with a NUL.
pub(super) const RECORD: &str = r#"
record() {
    s=$(stat -c '%f %s %u %g %Y %U %G' -- "$1" 2>/dev/null) || return 0
    t=; e=; k=
    if [ -L "$1" ]; then
        t=$(readlink -- "$1"; printf x); t=${t%x}; t=${t%?}
        if [ -e "$1" ]; then
            e=$(readlink -f -- "$1"; printf x); e=${e%x}; e=${e%?}
            k=$(stat -L -c %f -- "$1" 2>/dev/null)
        fi
    fi
    printf '%s\000%s\000%s\000%s\000%s\000' "$1" "$s" "$t" "$e" "$k"
}
exists() { [ -e "$1" ] || [ -L "$1" ]; }
"#;

/// `path`: its record.
pub(super) const STAT: &str = r#"exists "$1" || exit 40
record "$1"
"#;

/// `path offset length` (`-`: to the end): a line with the fields of `stat`, then the bytes.
pub(super) const READ: &str = r#"
[ -e "$1" ] || exit 40
[ -f "$1" ] || exit 41
s=$(stat -L -c '%s' -- "$1") || exit 1
stat -L -c '%f %s %u %g %Y %U %G' -- "$1" || exit 1
n=$(( s > $2 ? s - $2 : 0 ))
if [ "$3" != - ] && [ "$3" -lt "$n" ]; then n=$3; fi
if [ "$n" -eq 0 ]; then exit 0; fi
if [ "$2" -eq 0 ]; then exec head -c "$n" <"$1"; fi
tail -c "+$(( $2 + 1 ))" <"$1" | head -c "$n"
"#;

/// `path depth record`: a record about everything below; the shells that write it need
/// [`RECORD`] as well.
pub(super) const LIST: &str = r#"
[ -e "$1" ] || exit 40
[ -d "$1" ] || exit 41
find "${1%/}/" -mindepth 1 -maxdepth "$2" -exec sh -c "$3"'
for f; do record "$f"; done' sh {} +
"#;

/// Finds the owner (`uid:gid`) that the user named `$1` stands for, into `owner`.
pub(super) const OWNER: &str = r#"
owner_of() {
    u=${1%%:*}; g=
    case $1 in *:*) g=${1#*:} ;; esac
    case $u in
    *[!0-9]*) uid=$(id -u -- "$u" 2>/dev/null || id -u "$u" 2>/dev/null) || exit 43
        [ -n "$g" ] || g=$(id -g -- "$u" 2>/dev/null || id -g "$u") ;;
    *) uid=$u; [ -n "$g" ] || g=0 ;;
    esac
    owner=$uid:$g
}
make_parents() {
    [ -d "$1" ] && return 0
    exists "$1" && exit 41
    case ${1%/*} in '') ;; *) make_parents "${1%/*}" ;; esac
    mkdir -m 755 -- "$1" 2>/dev/null && chown "$owner" "$1"
    [ -d "$1" ] || exit 1
}
"#;

/// `path token parents`: takes the new content of `path` from standard input into a file beside
/// where it will be, and writes that file's path.
pub(super) const STAGE: &str = r#"
[ -d "$1" ] && exit 41
p=$1
if [ -L "$p" ]; then p=$(readlink -f -- "$p") || exit 42; fi
d=${p%/*}
while [ -n "$d" ] && ! exists "$d"; do
    [ "$3" = yes ] || exit 42
    d=${d%/*}
done
[ -d "$d/" ] || exit 41
t="$d/.sandbox-write-$2"
printf '%s' "$t"
umask 077
cat >"$t" || { rm -f -- "$t"; exit 1; }
"#;

/// `path staged user default-user mode`: puts what `STAGE` took where it belongs.
pub(super) const COMMIT: &str = r#"
fail() { rm -f -- "$staged"; exit "$1"; }
staged=$2
p=$1
if [ -L "$p" ]; then p=$(readlink -f -- "$p") || fail 42; fi
[ -d "$p" ] && fail 41
owner=; mode=$5
if [ -n "$3" ]; then (owner_of "$3") || fail 43; owner_of "$3"; fi
if [ -e "$p" ]; then
    [ -n "$owner" ] || owner=$(stat -c %u:%g -- "$p")
    [ -n "$mode" ] || mode=$(stat -c %a -- "$p")
else
    if [ -z "$owner" ]; then (owner_of "$4") || fail 43; owner_of "$4"; fi
    [ -n "$mode" ] || mode=644
    (make_parents "${p%/*}") || fail $?
fi
chown "$owner" "$staged" && chmod "$mode" "$staged" || fail 1
# Nothing can be moved onto a mount, such as the daemon's own /etc/hosts.
mv -f -- "$staged" "$p" 2>/dev/null ||
    { [ -f "$p" ] && cat "$staged" >"$p" && rm -f -- "$staged"; } || fail 1
record "$1"
"#;

/// `staged`: throws away what `STAGE` took.
pub(super) const DISCARD: &str = r#"rm -f -- "$1""#;

/// `path user mode parents`: makes a directory.
pub(super) const MAKE_DIR: &str = r#"
if [ -d "$1" ]; then exit 45; fi
exists "$1" && exit 41
owner_of "$2"
d=${1%/*}
if ! exists "${d:-/}"; then
    [ "$4" = yes ] || exit 42
    make_parents "$d"
fi
[ -d "${d:-/}" ] || exit 41
mkdir -m "$3" -- "$1" || { [ -d "$1" ] && exit 45; exit 1; }
chown "$owner" "$1" && chmod "$3" "$1"
"#;

/// `from to`: moves.
pub(super) const RENAME: &str = r#"
exists "$1" || exit 40
[ "$1" = "$2" ] && exit 0
case $2/ in "$1"/*) exit 44 ;; esac
d=${2%/*}; d=${d:-/}
exists "$d" || exit 42
[ -d "$d" ] || exit 44
if exists "$2"; then
    if [ -d "$1" ] && ! [ -L "$1" ]; then
        { [ -d "$2" ] && ! [ -L "$2" ]; } || exit 44
        rmdir -- "$2" 2>/dev/null || exit 44
    elif [ -d "$2" ] && ! [ -L "$2" ]; then
        exit 44
    elif [ -L "$2" ]; then
        rm -f -- "$2"
    fi
fi
mv -f -- "$1" "$2"
"#;

/// `path recursive`: removes.
pub(super) const REMOVE: &str = r#"
exists "$1" || exit 40
if [ -d "$1" ] && ! [ -L "$1" ]; then
    if [ "$2" = yes ]; then rm -rf -- "$1"; else rmdir -- "$1" 2>/dev/null || exit 41; fi
else
    rm -f -- "$1"
fi
"#;
