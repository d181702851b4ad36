#!/usr/bin/env bash
# Builds the test image with the content of images/base/Dockerfile from Debian packages, without a
# registry: unpack the packages over an empty tree, import the tree.
# Needs root (for file owners), apt and a Docker daemon (DOCKER_HOST).
set -euo pipefail

image=${1:-sandbox-test/base:latest}
if docker image inspect "$image" >/dev/null 2>&1; then
    exit 0
fi

packages=(base-files base-passwd bash coreutils debianutils findutils grep sed gawk tar gzip procps curl git
    sudo ca-certificates python3 python-is-python3 iproute2 iputils-ping netbase)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root
mkdir -p "$work/debs" "$root"/{usr/{bin,sbin,lib,lib64},tmp,proc,sys,dev,run,root,home/user,etc/sudoers.d}

if ! apt-cache show bash >/dev/null 2>&1; then
    apt-get update -qq
fi
apt-cache depends --recurse --no-recommends --no-suggests --no-conflicts --no-breaks \
    --no-replaces --no-enhances "${packages[@]}" | grep '^[a-z0-9]' | grep -v ':' | sort -u \
    | grep -vE '^(debconf.*|cdebconf.*|dpkg|perl-openssl-defaults|install-info)$' >"$work/names"
# Only names that have a package behind them: some are purely virtual.
xargs -a "$work/names" apt-cache policy 2>/dev/null \
    | awk '/^[a-z0-9]/ {name=$1} /Candidate:/ && $2 != "(none)" {sub(":$", "", name); print name}' \
    >"$work/real"
(
    cd "$work/debs"
    # Written by root into a directory apt's own user may not enter: without the sandbox user.
    xargs -a "$work/real" apt-get download -qq -o APT::Sandbox::User=root
)

ln -s usr/bin "$root/bin"
ln -s usr/sbin "$root/sbin"
ln -s usr/lib "$root/lib"
ln -s usr/lib64 "$root/lib64"
for deb in "$work"/debs/*.deb; do
    dpkg-deb --fsys-tarfile "$deb" | tar -x --keep-directory-symlink -C "$root"
done

# What the packages' scripts would have done.
cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
echo 'user:x:1000:1000::/home/user:/bin/bash' >>"$root/etc/passwd"
echo 'user:x:1000:' >>"$root/etc/group"
printf 'root:*:19000:0:99999:7:::\nuser:*:19000:0:99999:7:::\n' >"$root/etc/shadow"
chmod 640 "$root/etc/shadow"
echo 'user ALL=(ALL:ALL) NOPASSWD: ALL' >"$root/etc/sudoers.d/user"
chmod 440 "$root/etc/sudoers.d/user"
mkdir -p "$root/etc/ssl/certs"
find "$root/usr/share/ca-certificates" -name '*.crt' -exec cat {} + \
    >"$root/etc/ssl/certs/ca-certificates.crt"
for kind in auth account password session session-noninteractive; do
    printf '%s required pam_unix.so\n' "${kind%-noninteractive}" >"$root/etc/pam.d/common-$kind"
done
[ -e "$root/usr/bin/which" ] || ln -s which.debianutils "$root/usr/bin/which"
[ -e "$root/usr/bin/sh" ] || ln -s bash "$root/usr/bin/sh"
[ -e "$root/usr/bin/awk" ] || ln -s gawk "$root/usr/bin/awk"
for file in "$root"/usr/share/base-files/{profile,dot.bashrc,dot.profile}; do
    [ -e "$file" ] || continue
    case $file in
        */profile) cp "$file" "$root/etc/profile" ;;
        *) cp "$file" "$root/home/user/.${file##*/dot.}" ;;
    esac
done
rm -rf "$root"/usr/share/{doc,man,locale,info}
chown -R 1000:1000 "$root/home/user"
chmod 1777 "$root/tmp"

tar -C "$root" -c . | docker import \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV LANG=C.UTF-8' --change 'USER user' --change 'WORKDIR /home/user' \
    --change 'CMD ["/bin/bash"]' - "$image" >/dev/null
echo "Built $image"
