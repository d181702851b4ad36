//! The image `base` without any program, until the images are there.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use sandbox_core::{BoxStream, Error, ErrorKind, Progress, Result, SandboxPath};

use crate::engine::Executable;
use crate::fs::{Caller, FileSystem, Limits, OpenOptions};
use crate::kernel::{LoadError, Programs};
use crate::origin::{Catalogue, Origin};

/// Knows the image `base`.
#[derive(Debug)]
pub(crate) struct Bare;

#[derive(Debug)]
struct NoPrograms;

#[async_trait]
impl Programs for NoPrograms {
    fn ready(&self, _sha256: &str) -> Option<Arc<Executable>> {
        None
    }

    async fn load(&self, _sha256: &str) -> Result<Arc<Executable>, LoadError> {
        Err(LoadError::Unknown)
    }

    async fn compile(&self, _wasm: Bytes) -> Result<Arc<Executable>, LoadError> {
        Err(LoadError::Invalid("nothing is compiled yet".into()))
    }

    fn max_wasm_bytes(&self) -> u64 {
        0
    }
}

fn tree() -> Result<FileSystem, crate::fs::Errno> {
    let by = Caller::default();
    let mut files = FileSystem::new(Limits::default(), by);
    for (dir, mode) in [("/etc", 0o755), ("/root", 0o700), ("/tmp", 0o1777)] {
        files.make_dir(dir, mode, by)?;
    }
    let options = OpenOptions {
        write: true,
        create: true,
        mode: 0o644,
        ..OpenOptions::default()
    };
    let passwd = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n";
    let handle = files.open("/etc/passwd", options, by)?;
    files.write_at(handle, 0, passwd, by)?;
    files.close(handle)?;
    Ok(files)
}

#[async_trait]
impl Catalogue for Bare {
    async fn origin(&self, name: &str) -> Result<Arc<Origin>> {
        if name != "base" {
            let message = format!("there is no image {name}");
            return Err(Error::new(ErrorKind::NotFound, "wasm.image", message).with_field("image"));
        }
        let files = tree().map_err(|errno| errno.into_error("wasm.image", "image"))?;
        Ok(Arc::new(Origin {
            image: files.usage(),
            files: files.snapshot(),
            programs: Arc::new(NoPrograms),
            env: Arc::default(),
            workdir: SandboxPath::new("/root")?,
        }))
    }

    async fn prepare(&self, name: &str) -> Result<BoxStream<Result<Progress>>> {
        self.origin(name).await?;
        Ok(Box::pin(futures_util::stream::empty()))
    }

    fn image_with(&self, _name: &str) -> Option<&'static str> {
        None
    }
}
