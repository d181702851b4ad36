//! Bringing our program to a daemon, once per daemon and version of the program: as an image for
//! holders, and in a volume for agents.

use bollard::body_full;
use bollard::models::{ContainerCreateBody, HostConfig, Mount};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, InspectContainerOptions,
    RenameContainerOptionsBuilder, StartContainerOptions, UploadToContainerOptionsBuilder,
};
use futures_util::StreamExt;
use sandbox_core::{Error, ErrorKind, Result};

use crate::archive;
use crate::body::{self, AGENT_DIRECTORY, PROGRAM};
use crate::config::{AgentMode, DockerConfig};
use crate::daemon::Daemon;
use crate::error::{docker, has_status, nonsense};
use crate::holder::Line;
use crate::labels::{self, Role};
use crate::program;
use crate::random;
use crate::remove;
use crate::shared::{Networking, Reach};
use crate::volumes;

/// What the names of keepers and their volumes begin with.
pub(crate) const KEEPER_PREFIX: &str = "sandbox-agent-";
/// What the names of containers begin with that find out what works.
pub(crate) const PROBE_PREFIX: &str = "sandbox-probe-";
/// How often the agent is delivered until it is there.
const ATTEMPTS: usize = 3;
/// On a keeper: whether holders work on its daemon.
const FILTERS: &str = "dev.sandbox.filters";

/// What a daemon has of ours.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) reach: Reach,
    pub(crate) networking: Networking,
    /// An image of nothing but our program, where the daemon can run it.
    pub(crate) own_image: Option<String>,
    /// What works less well than it could, a line each.
    pub(crate) notes: Vec<String>,
}

/// Places what `config` asks for, as far as the daemon can run it.
pub(crate) async fn place(daemon: &Daemon, config: &DockerConfig) -> Result<Placed> {
    let facts = &daemon.facts;
    if facts.architecture != program::ARCHITECTURE {
        let why = format!(
            "the daemon's machines are {}, and the agent is for {}",
            facts.architecture,
            program::ARCHITECTURE
        );
        return without(config, why);
    }
    let keeper = match keeper(daemon, config).await {
        Ok(keeper) => keeper,
        Err(error) if error.is_retryable() => return Err(error),
        Err(error) => return without(config, format!("the agent could not be placed: {error}")),
    };
    let mut notes = Vec::new();
    let image = image_name(config);
    let networking = if keeper.filters {
        Networking::Holder {
            image: image.clone(),
        }
    } else {
        notes.push(no_network("this kernel has no nf_tables for containers"));
        Networking::None
    };
    let reach = match config.agent {
        AgentMode::Auto | AgentMode::Required => Reach::Agent {
            volume: keeper.volume,
        },
        AgentMode::Never => Reach::Exec,
    };
    Ok(Placed {
        reach,
        networking,
        own_image: Some(image),
        notes,
    })
}

/// Brings back what somebody took off the daemon since `reach` was found out; `None` when all of
/// it is there.
pub(crate) async fn again(
    daemon: &Daemon,
    config: &DockerConfig,
    reach: &Reach,
) -> Result<Option<Reach>> {
    let imported = image(daemon, config).await?;
    let volume = keeper(daemon, config).await?.volume;
    let now = match reach {
        Reach::Agent { volume: old } if *old != volume => {
            // The daemon made an empty one in its place. One that is in use stays.
            remove_volume(daemon, old).await;
            Reach::Agent { volume }
        }
        same => same.clone(),
    };
    Ok((imported || now != *reach).then_some(now))
}

async fn remove_volume(daemon: &Daemon, volume: &str) {
    if let Err(error) = volumes::remove(daemon, volume).await {
        tracing::warn!(%error, volume, "an unused volume stays behind");
    }
}

fn no_network(why: &str) -> String {
    format!("{why}: sandboxes have no network, as no egress policy but deny_all can be enforced")
}

/// A daemon that cannot run our program.
fn without(config: &DockerConfig, why: String) -> Result<Placed> {
    if config.agent == AgentMode::Required {
        return Err(Error::unsupported("docker.place", "agent", why));
    }
    Ok(Placed {
        reach: Reach::Exec,
        networking: Networking::None,
        own_image: None,
        notes: vec![
            no_network(&why),
            format!("{why}: commands go through docker exec, slower and with fewer capabilities"),
        ],
    })
}

fn image_name(config: &DockerConfig) -> String {
    format!("{}:{}", config.holder_image, program::hash())
}

/// What the keeper of this version is called.
pub(crate) fn keeper_name() -> String {
    format!("{KEEPER_PREFIX}{}", program::hash())
}

/// A container that is never started. Its existence says that the volume it keeps is filled:
/// it gets its name last.
struct Keeper {
    volume: String,
    filters: bool,
}

async fn keeper(daemon: &Daemon, config: &DockerConfig) -> Result<Keeper> {
    let name = keeper_name();
    let mut gone = None;
    // A server of another version may take away what it finds unused, at any step.
    for _ in 0..ATTEMPTS {
        image(daemon, config).await?;
        if let Some(found) = find(daemon, &name).await? {
            return Ok(found);
        }
        let token = random::token()?;
        let made = async {
            let filters = filters(daemon, config, &token).await?;
            make(daemon, config, &name, &token, filters).await
        };
        match made.await {
            Err(error) if error.kind() == ErrorKind::NotFound => gone = Some(error),
            other => other?,
        }
    }
    let found = find(daemon, &name).await?;
    let gone = gone.unwrap_or_else(|| nonsense("docker.place", "the agent's volume went away"));
    found.ok_or(gone)
}

/// The image of nothing but our program; holders and keepers are made from it.
/// Whether it had to be imported.
async fn image(daemon: &Daemon, config: &DockerConfig) -> Result<bool> {
    let name = image_name(config);
    match daemon.docker.inspect_image(&name).await {
        Ok(_) => return Ok(false),
        Err(error) if has_status(&error, 404) => {}
        Err(error) => return Err(docker("docker.place")(error)),
    }
    let options = CreateImageOptionsBuilder::new()
        .from_src("-")
        .repo(&config.holder_image)
        .tag(&program::hash())
        .build();
    let tar = archive::with_program(&[], PROGRAM, program::PROGRAM);
    let body = body_full(tar.into());
    let mut steps = Box::pin(daemon.docker.create_image(Some(options), Some(body), None));
    while let Some(step) = steps.next().await {
        step.map_err(docker("docker.place"))?;
    }
    Ok(true)
}

async fn find(daemon: &Daemon, name: &str) -> Result<Option<Keeper>> {
    let inspected = daemon
        .docker
        .inspect_container(name, None::<InspectContainerOptions>)
        .await;
    let found = match inspected {
        Ok(found) => found,
        Err(error) if has_status(&error, 404) => return Ok(None),
        Err(error) => return Err(docker("docker.place")(error)),
    };
    let labels = found
        .config
        .and_then(|config| config.labels)
        .unwrap_or_default();
    let mounts = found
        .host_config
        .and_then(|host| host.mounts)
        .unwrap_or_default();
    let volume = mounts.into_iter().find_map(|mount: Mount| mount.source);
    let filters = labels.get(FILTERS).is_some_and(|value| value == "yes");
    Ok(volume.map(|volume| Keeper { volume, filters }))
}

/// Fills a volume of its own and then takes the name; when somebody else was first, theirs stays
/// and this one goes. The volume comes with the container, so that it is never without a user.
async fn make(
    daemon: &Daemon,
    config: &DockerConfig,
    name: &str,
    token: &str,
    filters: bool,
) -> Result<()> {
    let volume = format!("{name}-{}", &token[..12]);
    let mut labels = labels::base(&config.namespace, Role::Agent);
    // Namespaces share it.
    labels.remove(labels::NAMESPACE);
    labels.insert(
        FILTERS.to_owned(),
        if filters { "yes" } else { "no" }.to_owned(),
    );
    let filled = fill(daemon, config, name, &volume, labels).await;
    if !matches!(filled, Ok(true)) {
        remove_volume(daemon, &volume).await;
    }
    filled.map(|_| ())
}

/// `Ok(false)`: somebody else was first.
async fn fill(
    daemon: &Daemon,
    config: &DockerConfig,
    name: &str,
    volume: &str,
    labels: std::collections::HashMap<String, String>,
) -> Result<bool> {
    let client = &daemon.docker;
    let body = body::keeper(&image_name(config), volume, labels);
    let options = CreateContainerOptionsBuilder::new().name(volume).build();
    let made = client.create_container(Some(options), body).await;
    let id = made.map_err(docker("docker.place"))?.id;
    let placed = async {
        let tar = archive::with_program(&[], PROGRAM, program::PROGRAM);
        let options = UploadToContainerOptionsBuilder::new()
            .path(AGENT_DIRECTORY)
            .build();
        client
            .upload_to_container(&id, Some(options), body_full(tar.into()))
            .await
            .map_err(docker("docker.place"))?;
        let options = RenameContainerOptionsBuilder::new().name(name).build();
        match client.rename_container(&id, options).await {
            Ok(()) => Ok(true),
            Err(error) if has_status(&error, 409) => Ok(false),
            Err(error) => Err(docker("docker.place")(error)),
        }
    };
    let placed = placed.await;
    if !matches!(placed, Ok(true)) {
        remove::container(client, &id).await?;
    }
    placed
}

/// Whether a holder can close a network here: starts one that has none and listens to it.
async fn filters(daemon: &Daemon, config: &DockerConfig, token: &str) -> Result<bool> {
    let client = &daemon.docker;
    let labels = labels::base(&config.namespace, Role::Probe);
    let body = body::holder(&image_name(config), "none", "probe", labels);
    // A container without a network takes no name servers.
    let body = ContainerCreateBody {
        host_config: body
            .host_config
            .map(|host| HostConfig { dns: None, ..host }),
        ..body
    };
    let name = format!("{PROBE_PREFIX}{token}");
    let options = CreateContainerOptionsBuilder::new().name(&name).build();
    let made = client.create_container(Some(options), body).await;
    let id = made.map_err(docker("docker.place"))?.id;
    let answer = async {
        let mut line = Line::open(client, &id).await?;
        client
            .start_container(&id, None::<StartContainerOptions>)
            .await
            .map_err(docker("docker.place"))?;
        line.ready().await
    };
    let answer = answer.await;
    remove::container(client, &id).await?;
    match answer {
        Ok(_) => Ok(true),
        Err(error) => {
            tracing::warn!(%error, "no egress policy but deny_all can be enforced here");
            Ok(false)
        }
    }
}
