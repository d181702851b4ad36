//! The file trees that fake sandboxes start from.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use sandbox_core::Timestamp;

use super::applets;
use super::tree::{Content, Device, FsResult, Owner, ROOT, Tree};
use crate::lock::Locked;

/// The image that every fake daemon has.
pub const FAKE_IMAGE: &str = "fake";

const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\n\
    daemon:x:1:1:daemon:/usr/sbin:/bin/false\n\
    nobody:x:65534:65534:nobody:/nonexistent:/bin/false\n";
const GROUP: &str = "root:x:0:\ndaemon:x:1:\nnogroup:x:65534:\n";

/// Images by name; as many sandboxes as there are share one.
#[derive(Debug)]
pub(crate) struct Images(Mutex<BTreeMap<String, Arc<Tree>>>);

impl Images {
    pub(crate) fn new(now: Timestamp) -> Self {
        let images = Self(Mutex::default());
        images.add(FAKE_IMAGE, now);
        images
    }

    /// Adds an image with the usual content.
    pub(crate) fn add(&self, name: &str, now: Timestamp) {
        let mut tree = Tree::new(now);
        // An empty tree without a limit takes everything this puts into it.
        let filled = fill(&mut tree);
        debug_assert_eq!(filled, Ok(()));
        self.0.locked().insert(name.to_owned(), Arc::new(tree));
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<Tree>> {
        self.0.locked().get(name).cloned()
    }
}

fn fill(tree: &mut Tree) -> FsResult<()> {
    let root = Owner::default();
    for (dir, mode) in [
        ("/bin", 0o755),
        ("/dev", 0o755),
        ("/etc", 0o755),
        ("/home", 0o755),
        ("/proc", 0o555),
        ("/root", 0o700),
        ("/tmp", 0o1777),
        ("/usr/bin", 0o755),
        ("/usr/local/bin", 0o755),
        ("/var", 0o755),
    ] {
        let ino = tree.make_dirs(dir, 0o755, root)?;
        tree.set_mode(ino, mode)?;
    }
    for (name, device) in [
        ("null", Device::Null),
        ("zero", Device::Zero),
        ("full", Device::Full),
    ] {
        let dev = tree.find(ROOT, "/dev", true)?;
        tree.add(dev, name, Content::Device(device), 0o666, root)?;
    }
    let etc = tree.find(ROOT, "/etc", true)?;
    for (name, text) in [("passwd", PASSWD), ("group", GROUP)] {
        tree.add(etc, name, file(text.as_bytes().to_vec()), 0o644, root)?;
    }
    let bin = tree.find(ROOT, "/bin", true)?;
    for name in applets::NAMES {
        let mut content = super::kernel::BINARY.to_vec();
        content.extend_from_slice(name.as_bytes());
        tree.add(bin, name, file(content), 0o755, root)?;
    }
    Ok(())
}

fn file(data: Vec<u8>) -> Content {
    Content::File(Arc::new(data))
}
