//! Making a pod: the holder first, its policy loaded, and only then the sandbox.

use std::collections::HashMap;
use std::sync::Arc;

use bollard::models::ContainerCreateBody;
use bollard::query_parameters::{CreateContainerOptionsBuilder, StartContainerOptions};
use sandbox_core::{Command, Error, ErrorKind, Result, SandboxSpec, User};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::body::{self, First, Network};
use crate::context::Context;
use crate::denials;
use crate::error::{docker, has_status, nonsense};
use crate::holder::{Line, Policy};
use crate::images::{self, Image};
use crate::labels::{self, Role};
use crate::network;
use crate::placement;
use crate::pod::{Pod, PodParts, State};
use crate::policy;
use crate::random;
use crate::remove;
use crate::shared::{Networking, Reach, Shared};
use crate::volumes;

/// Makes a pod in a task of its own, so that dropping this future leaves nothing behind: what was
/// made until then is removed again.
pub(crate) async fn create(shared: &Arc<Shared>, spec: &SandboxSpec) -> Result<Arc<Pod>> {
    let creating = shared.creating(spec.id()).ok_or_else(taken)?;
    let dropped = CancellationToken::new();
    let guard = dropped.clone().drop_guard();
    let mut maker = Maker {
        shared: Arc::clone(shared),
        reach: shared.reach(),
        spec: spec.clone(),
        attempt: random::token()?,
        dropped,
    };
    let (answer, answered) = oneshot::channel();
    tokio::spawn(async move {
        let made = maker.make_or_clean_up().await;
        let made = made.map(|pod| Unclaimed(Some(pod)));
        drop(creating);
        // A receiver that is gone gives the pod back, and dropping it destroys it.
        drop(answer.send(made));
    });
    let made = answered.await.unwrap_or_else(|e| {
        Err(nonsense("docker.create", "the making of the sandbox broke off").with_source(e))
    });
    guard.disarm();
    made?.claim()
}

/// A pod nobody has taken yet; dropping it destroys it.
struct Unclaimed(Option<Arc<Pod>>);

impl Unclaimed {
    fn claim(mut self) -> Result<Arc<Pod>> {
        self.0.take().ok_or_else(given_up)
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(pod) = self.0.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(async move {
                if let Err(error) = pod.destroy().await {
                    tracing::warn!(%error, id = %pod.id(), "an unwanted sandbox stays behind");
                }
            });
        }
    }
}

/// What a pod asks for names.
const RESOLV_CONF: &str = r"nameserver 127.0.0.1\n";

fn taken() -> Error {
    let message = "a sandbox has this id";
    Error::new(ErrorKind::Conflict, "docker.create", message).with_field("id")
}

fn given_up() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "docker.create",
        "nobody waits for it any more",
    )
}

struct Maker {
    shared: Arc<Shared>,
    spec: SandboxSpec,
    /// How this sandbox will be reached.
    reach: Reach,
    /// On every container of this attempt, so that cleaning up never takes another's.
    attempt: String,
    /// Nobody waits any more. Only looked at between requests: one that is cut off may still be
    /// carried out, after everything was cleaned up.
    dropped: CancellationToken,
}

impl Maker {
    /// What fails leaves nothing behind. Where it failed because somebody took our program off the
    /// daemon, it is brought there again and the sandbox made once more.
    async fn make_or_clean_up(&mut self) -> Result<Arc<Pod>> {
        let error = match self.make().await {
            Ok(pod) => return Ok(pod),
            Err(error) => error,
        };
        self.clean_up().await;
        self.still_wanted()?;
        if !self.place_again().await? {
            return Err(error);
        }
        tracing::warn!(%error, "the program had gone from the daemon and was placed again");
        let made = self.make().await;
        if made.is_err() {
            self.clean_up().await;
        }
        made
    }

    /// Whether something of ours was missing that is there now.
    async fn place_again(&mut self) -> Result<bool> {
        let shared = &self.shared;
        if self.reach == Reach::Exec && shared.networking == Networking::None {
            return Ok(false);
        }
        let placed = placement::again(&shared.daemon, &shared.config, &self.reach).await?;
        let Some(reach) = placed else {
            return Ok(false);
        };
        shared.reach_by(reach.clone());
        self.reach = reach;
        Ok(true)
    }

    async fn make(&self) -> Result<Arc<Pod>> {
        let shared = &self.shared;
        let resolving = async {
            tokio::select! {
                image = images::resolve(&shared.daemon, &shared.config, self.spec.source()) => image,
                () = self.dropped.cancelled() => Err(given_up()),
            }
        };
        let (image, network) = tokio::join!(resolving, self.network());
        let image = image?;
        // Before anything is made.
        let volumes = volumes::paths(&self.spec, &image.volumes)?;
        match &shared.networking {
            Networking::None => self.without_network(&image, &volumes).await,
            Networking::Holder { image: holder } => {
                self.with_holder(&image, &volumes, holder, network?).await
            }
        }
    }

    /// The network that a holder joins; nothing where there are no holders.
    async fn network(&self) -> Result<String> {
        let shared = &self.shared;
        match &shared.networking {
            Networking::None => Ok(String::new()),
            Networking::Holder { .. } => network::ensure(&shared.daemon, &shared.config).await,
        }
    }

    async fn without_network(&self, image: &Image, volumes: &[String]) -> Result<Arc<Pod>> {
        let sandbox = self.make_sandbox(image, volumes, Network::None).await?;
        self.still_wanted()?;
        self.start(&sandbox).await?;
        let pod = self.finish(image, sandbox, None).await?;
        Ok(self.shared.adopt(pod))
    }

    async fn with_holder(
        &self,
        image: &Image,
        volumes: &[String],
        holder_image: &str,
        network: String,
    ) -> Result<Arc<Pod>> {
        let holder = self.make_holder(holder_image, network).await?;
        self.still_wanted()?;
        // Only starting the sandbox needs the holder to run; making it does not.
        let (closed, made) = tokio::join!(
            self.close(&holder),
            self.make_sandbox(image, volumes, Network::Holder(&holder)),
        );
        let sandbox = made?;
        let (mut line, policy) = closed?;
        self.still_wanted()?;
        // The network is closed to all there is, so the sandbox may start before its policy is in
        // force. Nobody gets it before.
        let starting = async {
            self.start(&sandbox).await?;
            self.finish(image, sandbox.clone(), Some(holder)).await
        };
        let (loaded, pod) = tokio::join!(line.set_policy(&policy), starting);
        let pod = pod?;
        loaded?;
        let pod = self.shared.adopt(pod);
        denials::watch(&self.shared, &pod, Some(line));
        Ok(pod)
    }

    fn still_wanted(&self) -> Result<()> {
        if self.dropped.is_cancelled() {
            return Err(given_up());
        }
        Ok(())
    }

    async fn make_holder(&self, image: &str, mut network: String) -> Result<String> {
        let shared = &self.shared;
        let name = labels::holder_name(&shared.config.namespace, self.spec.id());
        for last in [false, true] {
            let labels = self.labels(Role::Holder);
            let hostname = body::hostname(&self.spec);
            let body = body::holder(image, &network, &hostname, labels);
            match self.make_container(&name, body).await {
                // The network went away between being looked up and being used.
                Err(error) if !last && error.kind() == ErrorKind::NotFound => {
                    network = self.network().await?;
                }
                other => return other,
            }
        }
        Err(nonsense("docker.create", "the network comes and goes"))
    }

    /// Starts the holder and waits until it has closed its network. The policy is what opens it.
    async fn close(&self, holder: &str) -> Result<(Line, Policy)> {
        let shared = &self.shared;
        let mut line = Line::open(&shared.daemon.docker, holder).await?;
        let starting = async {
            self.start(holder).await?;
            let (ready, own) = tokio::join!(line.ready(), policy::addresses(shared, holder));
            Ok::<_, Error>((ready?, own?))
        };
        let surroundings = network::environment(&shared.daemon);
        // To the end, both: a start that is cut off may be carried out after all.
        let (started, environment) = tokio::join!(starting, surroundings);
        let ((ready, own), environment) = (started?, environment?);
        if !ready.resolves() {
            tracing::warn!(id = %self.spec.id(), ?ready, "the sandbox cannot look up names");
        }
        Ok((line, policy::with(shared, &self.spec, own, environment)))
    }

    /// Makes the sandbox's container, with nothing mounted where it should not be.
    async fn make_sandbox(
        &self,
        image: &Image,
        volumes: &[String],
        network: Network<'_>,
    ) -> Result<String> {
        let shared = &self.shared;
        let mut labels = self.labels(Role::Sandbox);
        let channel = match &self.reach {
            Reach::Agent { .. } => "agent",
            Reach::Exec => "exec",
        };
        let holds = match network {
            Network::Holder(_) => "holder",
            Network::None => "none",
        };
        let mut label = |name: &str, value: String| labels.insert(name.to_owned(), value);
        label(labels::SPEC, labels::to_json(&self.spec)?);
        label(labels::DEFAULTS, labels::to_json(&image.defaults)?);
        label(labels::CHANNEL, channel.to_owned());
        label(labels::NETWORK, holds.to_owned());
        let first = match &self.reach {
            Reach::Agent { volume } => First::Agent { volume },
            Reach::Exec => First::Sleeper,
        };
        let body = body::sandbox(
            &shared.config,
            &self.spec,
            &image.id,
            network,
            first,
            volumes::mounts(&shared.config.namespace, self.spec.id(), volumes),
            labels,
        );
        let name = labels::sandbox_name(&shared.config.namespace, self.spec.id());
        let container = match self.make_container(&name, body).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(self.no_source(error)),
            other => other,
        }?;
        let (spec, reach) = (&self.spec, &self.reach);
        volumes::check(shared, spec, &container, &image.id, volumes, reach).await?;
        Ok(container)
    }

    /// The image went away after it was found.
    fn no_source(&self, error: Error) -> Error {
        Error::new(
            ErrorKind::NotFound,
            "docker.create",
            "there is no such image any more",
        )
        .with_field(volumes::source_field(&self.spec))
        .with_source(error)
    }

    async fn make_container(&self, name: &str, body: ContainerCreateBody) -> Result<String> {
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let made = self
            .shared
            .daemon
            .docker
            .create_container(Some(options), body)
            .await;
        match made {
            Ok(made) => Ok(made.id),
            Err(error) if has_status(&error, 409) => Err(taken()),
            Err(error) => Err(docker("docker.create")(error)),
        }
    }

    async fn start(&self, container: &str) -> Result<()> {
        let started = self
            .shared
            .daemon
            .docker
            .start_container(container, None::<StartContainerOptions>)
            .await;
        started.map_err(|error| self.not_started(error))
    }

    /// Says which part of the spec the low-level runtime could not do, where that can be told.
    fn not_started(&self, error: bollard::errors::Error) -> Error {
        let text = error.to_string();
        let translated = docker("docker.create")(error);
        if self.reach == Reach::Exec && text.contains("/bin/sh") {
            let message = "the image has no shell, which is needed where the agent cannot run";
            return Error::unsupported("docker.create", "image", message).with_source(translated);
        }
        translated
    }

    fn labels(&self, role: Role) -> HashMap<String, String> {
        let mut labels = labels::base(&self.shared.config.namespace, role);
        labels.insert(labels::ID.to_owned(), self.spec.id().to_string());
        labels.insert(labels::ATTEMPT.to_owned(), self.attempt.clone());
        labels
    }

    /// The pod of a sandbox that has been started, once what is inside answers.
    async fn finish(
        &self,
        image: &Image,
        container: String,
        holder: Option<String>,
    ) -> Result<Pod> {
        let pod = Pod::new(
            &self.shared,
            PodParts {
                spec: self.spec.clone(),
                context: Context::new(&image.defaults, &self.spec),
                agent: matches!(self.reach, Reach::Agent { .. }),
                container: Some(container),
                holder,
                state: State::Running,
            },
        );
        pod.first_contact().await?;
        if pod.has_network() && network::has_resolver(&self.shared.config.network) {
            self.point_to_resolver(&pod).await;
        }
        Ok(pod)
    }

    /// Names the pod's own resolver where the daemon names its own. Without it no name can be
    /// looked up, which is no less safe.
    async fn point_to_resolver(&self, pod: &Pod) {
        let writing = async {
            // In place, by the image's shell: nothing can be moved onto the daemon's mount.
            let line = format!("printf '{RESOLV_CONF}' >/etc/resolv.conf");
            let command = Command::shell(line).user(User::new("0:0")?);
            pod.channel().spawn(command).await?.wait().await
        };
        match writing.await {
            Ok(status) if status.success() => {}
            Ok(status) => {
                tracing::warn!(?status, id = %self.spec.id(), "the sandbox cannot look up names");
            }
            Err(error) => {
                tracing::warn!(%error, id = %self.spec.id(), "the sandbox cannot look up names");
            }
        }
    }

    async fn clean_up(&self) {
        let namespace = &self.shared.config.namespace;
        let id = self.spec.id();
        for name in [
            labels::sandbox_name(namespace, id),
            labels::holder_name(namespace, id),
        ] {
            let removed = remove::attempt(&self.shared.daemon.docker, &name, &self.attempt).await;
            if let Err(error) = removed {
                tracing::warn!(%error, name, "a piece of a failed sandbox stays behind for recovery");
            }
        }
    }
}
