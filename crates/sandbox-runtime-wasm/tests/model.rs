//! Random calls against a model that keeps every tree whole: same answers, same trees, same usage
//! to the byte, and nothing changed by a call that failed.

use std::collections::BTreeMap;

use proptest::prelude::*;
use sandbox_runtime_wasm::fs::{
    BLOCK_BYTES, CHUNK_BYTES, Caller, ENTRY_BYTES, Errno, FileSystem, Limits, OpenOptions,
    Snapshot, Usage,
};

const LIMITS: Limits = Limits {
    bytes: 200_000,
    inodes: 7,
    file_bytes: 300_000,
};

#[derive(Debug, Clone)]
enum Call {
    MakeDir(String),
    Write(String, u64, usize, u8),
    SetLen(String, u64),
    Link(String, String),
    Unlink(String),
    RemoveDir(String),
    Rename(String, String),
    Save,
    Reset,
    Fork,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct ModelFile {
    bytes: Vec<u8>,
    /// How far each chunk was written.
    chunks: BTreeMap<u64, u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Model {
    /// Every path, and its file; a directory has none.
    names: BTreeMap<String, Option<usize>>,
    files: BTreeMap<usize, ModelFile>,
}

impl Model {
    fn usage(&self) -> Usage {
        let names = self.names.keys().map(|path| {
            let name = path.rsplit('/').next().unwrap_or_default();
            ENTRY_BYTES + name.len() as u64
        });
        let chunks = self.files.values().flat_map(|file| file.chunks.values());
        let blocks = chunks.map(|end| end.div_ceil(BLOCK_BYTES) * BLOCK_BYTES);
        let directories = self.names.values().filter(|file| file.is_none()).count();
        Usage {
            bytes: names.chain(blocks).sum(),
            inodes: (1 + directories + self.files.len()) as u64,
        }
    }

    fn has_children(&self, path: &str) -> bool {
        let below = format!("{path}/");
        self.names.keys().any(|name| name.starts_with(&below))
    }

    /// Checks that what `path` is in is a directory.
    fn check_parent(&self, path: &str) -> Result<(), Errno> {
        for (end, _) in path.match_indices('/').skip(1) {
            match self.names.get(&path[..end]) {
                None => return Err(Errno::NotFound),
                Some(Some(_)) => return Err(Errno::NotDirectory),
                Some(None) => {}
            }
        }
        Ok(())
    }

    fn drop_unnamed(&mut self) {
        let names = &self.names;
        self.files
            .retain(|id, _| names.values().any(|file| *file == Some(*id)));
    }

    fn apply(&self, call: &Call) -> Result<Self, Errno> {
        let mut next = self.clone();
        match call {
            Call::MakeDir(path) => {
                self.check_parent(path)?;
                if self.names.contains_key(path) {
                    return Err(Errno::Exists);
                }
                next.names.insert(path.clone(), None);
            }
            Call::Write(path, offset, len, byte) => next.write(path, *offset, *len, *byte)?,
            Call::SetLen(path, size) => next.set_len(path, *size)?,
            Call::Link(from, to) => {
                let file = self.get(from)?;
                self.check_parent(to)?;
                if self.names.contains_key(to) {
                    return Err(Errno::Exists);
                }
                next.names
                    .insert(to.clone(), Some(file.ok_or(Errno::NotPermitted)?));
            }
            Call::Unlink(path) => {
                self.get(path)?.ok_or(Errno::IsDirectory)?;
                next.names.remove(path);
            }
            Call::RemoveDir(path) => {
                if self.get(path)?.is_some() {
                    return Err(Errno::NotDirectory);
                }
                if self.has_children(path) {
                    return Err(Errno::NotEmpty);
                }
                next.names.remove(path);
            }
            Call::Rename(from, to) => next.rename(from, to)?,
            Call::Save | Call::Reset | Call::Fork => {}
        }
        next.drop_unnamed();
        let (before, after) = (self.usage(), next.usage());
        if after.bytes > LIMITS.bytes.max(before.bytes) || after.inodes > LIMITS.inodes {
            return Err(Errno::NoSpace);
        }
        Ok(next)
    }

    fn get(&self, path: &str) -> Result<Option<usize>, Errno> {
        self.check_parent(path)?;
        self.names.get(path).copied().ok_or(Errno::NotFound)
    }

    fn write(&mut self, path: &str, offset: u64, len: usize, byte: u8) -> Result<(), Errno> {
        let id = self.get(path)?.ok_or(Errno::IsDirectory)?;
        let end = offset + len as u64;
        if end > LIMITS.file_bytes {
            return Err(Errno::FileTooBig);
        }
        let file = self.files.entry(id).or_default();
        let size = file.bytes.len().max(end as usize);
        file.bytes.resize(size, 0);
        file.bytes[offset as usize..end as usize].fill(byte);
        for at in offset..end {
            let written = file.chunks.entry(at / CHUNK_BYTES).or_default();
            *written = (*written).max(at % CHUNK_BYTES + 1);
        }
        Ok(())
    }

    fn set_len(&mut self, path: &str, size: u64) -> Result<(), Errno> {
        let id = self.get(path)?.ok_or(Errno::IsDirectory)?;
        if size > LIMITS.file_bytes {
            return Err(Errno::FileTooBig);
        }
        let file = self.files.entry(id).or_default();
        file.bytes.resize(size as usize, 0);
        file.chunks.retain(|index, end| {
            *end = (*end).min(size.saturating_sub(index * CHUNK_BYTES));
            *end > 0
        });
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), Errno> {
        self.check_parent(from)?;
        self.check_parent(to)?;
        let moved = *self.names.get(from).ok_or(Errno::NotFound)?;
        if moved.is_none() && to.starts_with(&format!("{from}/")) {
            return Err(Errno::Invalid);
        }
        if from == to || (moved.is_some() && self.names.get(to) == Some(&moved)) {
            return Ok(());
        }
        if let Some(replaced) = self.names.get(to) {
            if from.starts_with(&format!("{to}/")) {
                return Err(Errno::NotEmpty);
            }
            match (moved, replaced) {
                (None, Some(_)) => return Err(Errno::NotDirectory),
                (Some(_), None) => return Err(Errno::IsDirectory),
                (None, None) if self.has_children(to) => return Err(Errno::NotEmpty),
                _ => {}
            }
        }
        let below = format!("{from}/");
        let names = std::mem::take(&mut self.names);
        for (name, file) in &names {
            if name != from && name != to && !name.starts_with(&below) {
                self.names.insert(name.clone(), *file);
            }
        }
        for (name, file) in &names {
            if name == from || name.starts_with(&below) {
                self.names
                    .insert(format!("{to}{}", &name[from.len()..]), *file);
            }
        }
        Ok(())
    }
}

fn by() -> Caller {
    Caller::default()
}

fn make(fs: &mut FileSystem, path: &str) -> Result<(), Errno> {
    let options = OpenOptions {
        write: true,
        create: true,
        exclusive: true,
        ..OpenOptions::default()
    };
    let handle = fs.open(path, options, by())?;
    fs.close(handle)
}

fn run(fs: &mut FileSystem, saved: &Snapshot, call: &Call) -> Result<(), Errno> {
    match call {
        Call::MakeDir(path) => fs.make_dir(&**path, 0o755, by()).map(|_| ()),
        Call::Write(path, offset, len, byte) => {
            let options = OpenOptions {
                write: true,
                ..OpenOptions::default()
            };
            let handle = fs.open(&**path, options, by())?;
            let written = fs.write_at(handle, *offset, &vec![*byte; *len], by());
            fs.close(handle)?;
            written.map(|_| ())
        }
        Call::SetLen(path, size) => fs.truncate(&**path, *size, by()),
        Call::Link(from, to) => fs.link(&**from, false, &**to, by()),
        Call::Unlink(path) => fs.unlink(&**path, by()),
        Call::RemoveDir(path) => fs.remove_dir(&**path, by()),
        Call::Rename(from, to) => fs.rename(&**from, &**to, by()),
        Call::Save => Ok(()),
        Call::Reset => fs.reset(saved),
        Call::Fork => {
            *fs = FileSystem::from_snapshot(&fs.snapshot(), LIMITS)?;
            Ok(())
        }
    }
}

/// The tree as the model has it, with files named by the first of their paths.
fn tree(fs: &mut FileSystem, dir: &str, into: &mut BTreeMap<String, Option<Vec<u8>>>) {
    let options = OpenOptions {
        read: true,
        ..OpenOptions::default()
    };
    let at = if dir.is_empty() { "/" } else { dir };
    let handle = fs.open(at, options, by()).unwrap();
    let entries = fs.read_dir(handle, 2, usize::MAX).unwrap();
    fs.close(handle).unwrap();
    for entry in entries {
        let path = format!("{dir}/{}", entry.name);
        if entry.kind == sandbox_core::FileKind::Directory {
            into.insert(path.clone(), None);
            tree(fs, &path, into);
            continue;
        }
        let handle = fs.open(&*path, options, by()).unwrap();
        let size = fs.metadata_of(handle).unwrap().size;
        let mut bytes = vec![0xEE; size as usize];
        assert_eq!(fs.read_at(handle, 0, &mut bytes).unwrap(), bytes.len());
        fs.close(handle).unwrap();
        into.insert(path, Some(bytes));
    }
}

fn path() -> impl Strategy<Value = String> {
    let name = prop_oneof![3 => Just("a"), 2 => Just("b"), 1 => Just("longer")];
    prop::collection::vec(name, 1..4).prop_map(|names| format!("/{}", names.join("/")))
}

fn call() -> impl Strategy<Value = Call> {
    let offset = || prop_oneof![0..2000_u64, 65_000..66_000_u64, 100_000..299_999_u64];
    let len = prop_oneof![1..600_usize, 60_000..70_000_usize];
    prop_oneof![
        4 => path().prop_map(Call::MakeDir),
        8 => (path(), offset(), len, 1..255_u8).prop_map(|(p, o, l, b)| Call::Write(p, o, l, b)),
        2 => (path(), offset()).prop_map(|(p, s)| Call::SetLen(p, s)),
        3 => (path(), path()).prop_map(|(a, b)| Call::Link(a, b)),
        2 => path().prop_map(Call::Unlink),
        2 => path().prop_map(Call::RemoveDir),
        4 => (path(), path()).prop_map(|(a, b)| Call::Rename(a, b)),
        1 => Just(Call::Save),
        1 => Just(Call::Reset),
        1 => Just(Call::Fork),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn it_does_what_a_model_does(calls in prop::collection::vec(call(), 1..40)) {
        let mut fs = FileSystem::new(LIMITS, by());
        let mut model = Model::default();
        for (id, name) in ["/a", "/b"].into_iter().enumerate() {
            make(&mut fs, name).unwrap();
            model.names.insert(name.to_owned(), Some(id));
            model.files.insert(id, ModelFile::default());
        }
        fs.make_dir("/longer", 0o755, by()).unwrap();
        model.names.insert("/longer".to_owned(), None);
        let mut saved = (fs.snapshot(), model.clone());
        for call in &calls {
            match call {
                Call::Save => saved = (fs.snapshot(), model.clone()),
                Call::Reset => model = saved.1.clone(),
                _ => {}
            }
            let expected = model.apply(call);
            prop_assert_eq!(run(&mut fs, &saved.0, call), expected.as_ref().map(|_| ()).map_err(|e| *e), "{:?}", call);
            if let Ok(next) = expected {
                model = next;
            }
            prop_assert_eq!(fs.usage(), model.usage(), "{:?}", call);
            let mut ours = BTreeMap::new();
            tree(&mut fs, "", &mut ours);
            let theirs: BTreeMap<_, _> = model
                .names
                .iter()
                .map(|(name, file)| (name.clone(), file.map(|id| model.files[&id].bytes.clone())))
                .collect();
            prop_assert!(ours == theirs, "{:?}", call);
        }
    }
}
