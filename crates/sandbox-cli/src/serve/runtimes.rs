//! The runtimes a server offers.

use std::sync::Arc;

use sandbox_core::{Error, ErrorKind, Result, Runtime, RuntimeName};
use sandbox_runtime_docker::{DockerConfig, DockerRuntime};

use super::data_dir::DataDir;
use super::late::LateRuntime;
use crate::config::Config;

/// A runtime under its name.
pub(crate) type Named = (RuntimeName, Arc<dyn Runtime>);

/// Connects to every runtime that `config` names.
///
/// A runtime that was never here has to be; one that was and is away now is waited for in the
/// background, so that its sandboxes can be seen meanwhile.
///
/// # Errors
/// What a runtime cannot be connected to with.
pub(super) async fn connect(config: &Config, data: &DataDir) -> Result<Vec<Named>> {
    let mut runtimes = Vec::new();
    for name in &config.runtimes {
        let name = RuntimeName::new(name.as_str())?;
        let runtime = match name.as_str() {
            "docker" => docker(&name, config.docker.config(), data).await?,
            "wasm" => Arc::new(config.wasm.builder().build()?),
            _ => {
                let message = format!("this version has no runtime {name}");
                return Err(Error::unsupported("serve.start", "runtimes", message));
            }
        };
        runtimes.push((name, runtime));
    }
    Ok(runtimes)
}

async fn docker(
    name: &RuntimeName,
    config: DockerConfig,
    data: &DataDir,
) -> Result<Arc<dyn Runtime>> {
    match DockerRuntime::connect(config.clone()).await {
        Ok(runtime) => {
            data.remember(name, runtime.capabilities())?;
            Ok(runtime)
        }
        Err(error) if error.kind() == ErrorKind::Unavailable => match data.recall(name) {
            None => Err(error),
            Some(capabilities) => {
                tracing::warn!(runtime = %name, error = %error.report(), "starting without it");
                let connect = move || {
                    let connecting = DockerRuntime::connect(config.clone());
                    Box::pin(connecting) as futures_util::future::BoxFuture<'static, _>
                };
                let late = LateRuntime::new(name.clone(), capabilities, Box::new(connect));
                Ok(Arc::new(late))
            }
        },
        Err(error) => Err(error),
    }
}
