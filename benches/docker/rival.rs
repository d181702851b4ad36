//! What everybody else does: the Engine API as it is, one call after the other.

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{CreateExecOptions, StartExecOptions, StartExecResults};
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{
    CreateContainerOptions, DownloadFromContainerOptionsBuilder, RemoveContainerOptionsBuilder,
    StartContainerOptions, UploadToContainerOptionsBuilder,
};
use bytes::Bytes;
use futures_util::StreamExt;

type Result<T> = std::result::Result<T, bollard::errors::Error>;

/// A container on the default bridge that sleeps.
pub(crate) struct Rival {
    docker: Docker,
    container: String,
}

impl Rival {
    /// Creates and starts it: the floor of every container-backed sandbox.
    pub(crate) async fn create(docker: &Docker, image: &str) -> Result<Self> {
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            cmd: Some(vec!["sleep".into(), "1000000".into()]),
            labels: Some([("dev.sandbox.bench".to_owned(), String::new())].into()),
            ..ContainerCreateBody::default()
        };
        let created = docker
            .create_container(None::<CreateContainerOptions>, body)
            .await?;
        let rival = Self {
            docker: docker.clone(),
            container: created.id,
        };
        rival
            .docker
            .start_container(&rival.container, None::<StartContainerOptions>)
            .await?;
        Ok(rival)
    }

    /// `docker exec`: create, start, read to the end, inspect. Answers the number of bytes read.
    pub(crate) async fn exec(&self, argv: &[&str]) -> Result<usize> {
        let options = CreateExecOptions {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.iter().map(|s| (*s).to_owned()).collect()),
            ..CreateExecOptions::default()
        };
        let exec = self.docker.create_exec(&self.container, options).await?.id;
        let started = self
            .docker
            .start_exec(&exec, None::<StartExecOptions>)
            .await?;
        let mut bytes = 0;
        if let StartExecResults::Attached { mut output, .. } = started {
            while let Some(chunk) = output.next().await {
                bytes += LogOutput::into_bytes(chunk?).len();
            }
        }
        let inspected = self.docker.inspect_exec(&exec).await?;
        assert_eq!(inspected.exit_code, Some(0), "{argv:?}");
        Ok(bytes)
    }

    /// PUT archive: one file in a tar.
    pub(crate) async fn put(&self, name: &str, data: &[u8]) -> Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        let mut archive = tar::Builder::new(Vec::with_capacity(data.len() + 2048));
        archive
            .append_data(&mut header, name, data)
            .expect("writing to memory does not fail");
        let tar = archive
            .into_inner()
            .expect("writing to memory does not fail");
        let options = UploadToContainerOptionsBuilder::new().path("/").build();
        self.docker
            .upload_to_container(
                &self.container,
                Some(options),
                bollard::body_full(tar.into()),
            )
            .await
    }

    /// GET archive. Answers the number of bytes of the tar.
    pub(crate) async fn get(&self, path: &str) -> Result<usize> {
        let options = DownloadFromContainerOptionsBuilder::new()
            .path(path)
            .build();
        let body = self
            .docker
            .download_from_container(&self.container, Some(options));
        let chunks: Vec<Result<Bytes>> = body.collect().await;
        chunks
            .into_iter()
            .try_fold(0, |sum, chunk| Ok(sum + chunk?.len()))
    }

    pub(crate) async fn pause(&self) -> Result<()> {
        self.docker.pause_container(&self.container).await
    }

    pub(crate) async fn unpause(&self) -> Result<()> {
        self.docker.unpause_container(&self.container).await
    }

    pub(crate) async fn remove(self) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new()
            .force(true)
            .v(true)
            .build();
        self.docker
            .remove_container(&self.container, Some(options))
            .await
    }
}
