//! From paths to nodes and back.

use sandbox_core::{FileKind, Link, LinkTarget, SandboxPath};

use super::{Content, FsError, FsResult, Ino, ROOT, Tree};

/// How many links one walk follows, as Linux has it.
const MAX_LINKS: u32 = 40;

/// Where a path leads: a directory, a name in it, and what stands there.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) dir: Ino,
    pub(crate) name: String,
    pub(crate) node: Option<Ino>,
}

impl Tree {
    /// The node at `path`, seen from `start`; `follow` says whether a link at the end is followed.
    pub(crate) fn find(&self, start: Ino, path: &str, follow: bool) -> FsResult<Ino> {
        self.walk(start, path, follow, &mut 0)
    }

    fn walk(&self, start: Ino, path: &str, follow: bool, links: &mut u32) -> FsResult<Ino> {
        let mut at = if path.starts_with('/') { ROOT } else { start };
        let must_be_dir = path.ends_with('/');
        let mut names = path.split('/').filter(|name| !name.is_empty()).peekable();
        while let Some(name) = names.next() {
            let last = names.peek().is_none();
            let entries = self.entries(at)?;
            let child = match name {
                "." => at,
                ".." => self.node(at)?.parent,
                _ => *entries.get(name).ok_or(FsError::NotFound)?,
            };
            at = match &self.node(child)?.content {
                Content::Link(text) if !last || follow || must_be_dir => {
                    *links += 1;
                    if *links > MAX_LINKS {
                        return Err(FsError::Loop);
                    }
                    self.walk(at, text, true, links)?
                }
                Content::Link(_)
                | Content::File(_)
                | Content::Directory(_)
                | Content::Device(_) => child,
            };
        }
        if must_be_dir {
            self.entries(at)?;
        }
        Ok(at)
    }

    /// Where `path` leads, for something that may have to be made there.
    pub(crate) fn locate(&self, start: Ino, path: &str, follow: bool) -> FsResult<Place> {
        self.locate_counting(start, path, follow, &mut 0)
    }

    fn locate_counting(
        &self,
        start: Ino,
        path: &str,
        follow: bool,
        links: &mut u32,
    ) -> FsResult<Place> {
        let trimmed = path.trim_end_matches('/');
        let (dir, name) = match trimmed.rsplit_once('/') {
            Some(("", name)) => ("/", name),
            Some((dir, name)) => (dir, name),
            None => (if path.starts_with('/') { "/" } else { "." }, trimmed),
        };
        let dir = self.walk(start, dir, true, links)?;
        if matches!(name, "" | "." | "..") {
            let node = self.walk(dir, if name.is_empty() { "." } else { name }, true, links)?;
            return Ok(Place {
                dir: self.node(node)?.parent,
                name: String::new(),
                node: Some(node),
            });
        }
        let node = self.entries(dir)?.get(name).copied();
        if let Some(ino) = node
            && follow
            && let Content::Link(text) = &self.node(ino)?.content
        {
            *links += 1;
            if *links > MAX_LINKS {
                return Err(FsError::Loop);
            }
            return self.locate_counting(dir, text, true, links);
        }
        Ok(Place {
            dir,
            name: name.to_owned(),
            node,
        })
    }

    /// The names from the root down to `ino`.
    pub(crate) fn path_of(&self, ino: Ino) -> FsResult<String> {
        let mut names = Vec::new();
        let mut at = ino;
        while at != ROOT {
            let parent = self.node(at)?.parent;
            let name = self
                .entries(parent)?
                .iter()
                .find_map(|(name, child)| (*child == at).then(|| name.clone()))
                .ok_or(FsError::NotFound)?;
            names.push(name);
            at = parent;
        }
        names.reverse();
        Ok(format!("/{}", names.join("/")))
    }

    /// What the link `ino` says and leads to.
    pub(crate) fn link(&self, ino: Ino) -> Option<Link> {
        let node = self.node(ino).ok()?;
        let Content::Link(text) = &node.content else {
            return None;
        };
        let target = self.walk(node.parent, text, true, &mut 0).ok();
        let target = target.and_then(|target| {
            Some(LinkTarget {
                path: SandboxPath::new(self.path_of(target).ok()?).ok()?,
                kind: self.node(target).ok()?.kind(),
            })
        });
        Some(Link {
            text: text.clone(),
            target,
        })
    }

    /// Everything below `dir` down to `depth`, sorted by path, as paths relative to it.
    ///
    /// # Errors
    /// `Err(None)` when there are more than `limit`.
    pub(crate) fn below(
        &self,
        dir: Ino,
        depth: u32,
        limit: usize,
    ) -> Result<Vec<(String, Ino)>, Option<FsError>> {
        let mut found = Vec::new();
        let mut open = vec![(dir, String::new(), depth)];
        while let Some((dir, prefix, depth)) = open.pop() {
            for (name, child) in self.entries(dir)? {
                let path = format!("{prefix}{name}");
                if found.len() == limit {
                    return Err(None);
                }
                if depth > 1 && self.node(*child)?.kind() == FileKind::Directory {
                    open.push((*child, format!("{path}/"), depth - 1));
                }
                found.push((path, *child));
            }
        }
        found.sort();
        Ok(found)
    }
}
