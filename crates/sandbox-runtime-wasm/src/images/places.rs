//! Where on the host images and compiled code are kept.

use std::env;
use std::path::PathBuf;

/// Images: `SANDBOX_IMAGES_DIR`, or below the user's directory for data.
pub(super) fn images() -> Option<PathBuf> {
    place(|name| env::var_os(name).map(PathBuf::from), &IMAGES)
}

/// Compiled code: `SANDBOX_CACHE_DIR`, or below the user's directory for caches.
pub(super) fn compiled() -> Option<PathBuf> {
    place(|name| env::var_os(name).map(PathBuf::from), &COMPILED)
}

struct Place {
    own: &'static str,
    xdg: &'static str,
    below_home: &'static str,
    name: &'static str,
}

const IMAGES: Place = Place {
    own: "SANDBOX_IMAGES_DIR",
    xdg: "XDG_DATA_HOME",
    below_home: ".local/share",
    name: "sandbox/images",
};

const COMPILED: Place = Place {
    own: "SANDBOX_CACHE_DIR",
    xdg: "XDG_CACHE_HOME",
    below_home: ".cache",
    name: "sandbox/compiled",
};

fn place(variable: impl Fn(&str) -> Option<PathBuf>, place: &Place) -> Option<PathBuf> {
    // As the XDG specification says: a relative path is as good as none.
    let absolute = |name| variable(name).filter(|path| path.is_absolute());
    absolute(place.own).or_else(|| {
        let home = || Some(absolute("HOME")?.join(place.below_home));
        Some(absolute(place.xdg).or_else(home)?.join(place.name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Option<String> {
        let get = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| PathBuf::from(value))
        };
        place(get, &IMAGES).map(|path| path.display().to_string())
    }

    #[test]
    fn its_own_variable_comes_before_the_users_directories() {
        let own = ("SANDBOX_IMAGES_DIR", "/images");
        let (xdg, home) = (("XDG_DATA_HOME", "/data"), ("HOME", "/home/u"));
        assert_eq!(found(&[own, xdg, home]).unwrap(), "/images");
        assert_eq!(found(&[xdg, home]).unwrap(), "/data/sandbox/images");
        let below_home = "/home/u/.local/share/sandbox/images";
        assert_eq!(found(&[home]).unwrap(), below_home);
        assert_eq!(
            found(&[("XDG_DATA_HOME", "data"), home]).unwrap(),
            below_home
        );
        assert_eq!(found(&[]), None);
    }
}
