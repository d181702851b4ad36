//! What a sandbox is made from.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::egress::EgressRules;
use crate::lifecycle::LifecyclePolicy;
use crate::{Error, Resources, Result, SandboxId, SandboxPath, SnapshotId, TemplateName, User};

/// The most bytes all environment variables of a sandbox or a command may have together.
pub const MAX_ENV_BYTES: usize = 128 << 10;
/// The most metadata entries of a sandbox.
pub const MAX_METADATA_ENTRIES: usize = 64;
/// The most bytes all metadata of a sandbox may have together.
pub const MAX_METADATA_BYTES: usize = 16 << 10;
/// The longest image reference in bytes.
pub const MAX_IMAGE_BYTES: usize = 512;

/// The file system a sandbox starts from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// An image by the name its runtime knows it by: an OCI reference for Docker, the name of a
    /// module set for Wasm.
    Image(String),
    /// A snapshot of another sandbox of the same runtime.
    Snapshot(SnapshotId),
}

/// Everything a runtime needs to make a sandbox.
///
/// It is complete (templates are resolved before) and checked: [`SandboxSpecBuilder::build`] is
/// the only way to one, and deserialising one checks it again.
///
/// ```
/// use sandbox_core::{Resources, SandboxId, SandboxSpec, Source};
///
/// let spec = SandboxSpec::builder(SandboxId::from_random([7; 16]), Source::Image("debian:12".into()))
///     .env("LANG", "C.UTF-8")
///     .metadata("user", "42")
///     .resources(Resources { memory: 256 << 20, ..Resources::default() })
///     .build()?;
/// assert_eq!(spec.resources().memory, 256 << 20);
/// # Ok::<(), sandbox_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Fields", into = "Fields")]
pub struct SandboxSpec(Fields);

/// The fields as they are stored; private, so that an unchecked spec cannot be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Fields {
    id: SandboxId,
    template: Option<TemplateName>,
    source: Source,
    resources: Resources,
    env: BTreeMap<String, String>,
    metadata: BTreeMap<String, String>,
    workdir: Option<SandboxPath>,
    user: Option<User>,
    hostname: Option<String>,
    runtime_class: Option<String>,
    egress: EgressRules,
    lifecycle: LifecyclePolicy,
}

impl SandboxSpec {
    /// Starts a spec for the sandbox `id` made from `source`: default [`Resources`], the default
    /// [`EgressRules`] and the default [`LifecyclePolicy`].
    pub fn builder(id: SandboxId, source: Source) -> SandboxSpecBuilder {
        SandboxSpecBuilder(Fields {
            id,
            template: None,
            source,
            resources: Resources::default(),
            env: BTreeMap::new(),
            metadata: BTreeMap::new(),
            workdir: None,
            user: None,
            hostname: None,
            runtime_class: None,
            egress: EgressRules::default(),
            lifecycle: LifecyclePolicy::default(),
        })
    }

    /// A builder that starts from this spec.
    pub fn to_builder(&self) -> SandboxSpecBuilder {
        SandboxSpecBuilder(self.0.clone())
    }

    /// The sandbox's id.
    pub fn id(&self) -> &SandboxId {
        &self.0.id
    }

    /// The template this was resolved from, for those who list sandboxes; runtimes ignore it.
    pub fn template(&self) -> Option<&TemplateName> {
        self.0.template.as_ref()
    }

    /// The file system to start from.
    pub fn source(&self) -> &Source {
        &self.0.source
    }

    /// The limits.
    pub fn resources(&self) -> &Resources {
        &self.0.resources
    }

    /// Environment variables of every command.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.0.env
    }

    /// The caller's own notes: kept and shown, never read.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.0.metadata
    }

    /// Where commands start; without it, the image's own directory.
    pub fn workdir(&self) -> Option<&SandboxPath> {
        self.0.workdir.as_ref()
    }

    /// Who runs commands; without it, the image's own user.
    pub fn user(&self) -> Option<&User> {
        self.0.user.as_ref()
    }

    /// The host name inside; without it, one made from the id.
    pub fn hostname(&self) -> Option<&str> {
        self.0.hostname.as_deref()
    }

    /// The low-level runtime (`runc`, `crun`, `runsc`, …); without it, the runtime's default.
    pub fn runtime_class(&self) -> Option<&str> {
        self.0.runtime_class.as_deref()
    }

    /// What the sandbox may connect to when it starts.
    pub fn egress(&self) -> &EgressRules {
        &self.0.egress
    }

    /// When it is suspended and destroyed.
    pub fn lifecycle(&self) -> &LifecyclePolicy {
        &self.0.lifecycle
    }
}

impl TryFrom<Fields> for SandboxSpec {
    type Error = Error;

    fn try_from(fields: Fields) -> Result<Self> {
        SandboxSpecBuilder(fields).build()
    }
}

impl From<SandboxSpec> for Fields {
    fn from(spec: SandboxSpec) -> Fields {
        spec.0
    }
}

/// Builds a [`SandboxSpec`].
#[derive(Debug, Clone)]
#[must_use]
pub struct SandboxSpecBuilder(Fields);

impl SandboxSpecBuilder {
    /// Gives it another id.
    pub fn id(mut self, id: SandboxId) -> Self {
        self.0.id = id;
        self
    }

    /// Makes it from another file system.
    pub fn source(mut self, source: Source) -> Self {
        self.0.source = source;
        self
    }

    /// Notes the template it was resolved from.
    pub fn template(mut self, template: TemplateName) -> Self {
        self.0.template = Some(template);
        self
    }

    /// Sets the limits.
    pub fn resources(mut self, resources: Resources) -> Self {
        self.0.resources = resources;
        self
    }

    /// Sets one environment variable.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.env.insert(name.into(), value.into());
        self
    }

    /// Sets several environment variables.
    pub fn envs(mut self, env: impl IntoIterator<Item = (String, String)>) -> Self {
        self.0.env.extend(env);
        self
    }

    /// Sets one metadata entry.
    pub fn metadata(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.metadata.insert(name.into(), value.into());
        self
    }

    /// Sets several metadata entries.
    pub fn metadatas(mut self, entries: impl IntoIterator<Item = (String, String)>) -> Self {
        self.0.metadata.extend(entries);
        self
    }

    /// Sets where commands start.
    pub fn workdir(mut self, workdir: SandboxPath) -> Self {
        self.0.workdir = Some(workdir);
        self
    }

    /// Sets who runs commands.
    pub fn user(mut self, user: User) -> Self {
        self.0.user = Some(user);
        self
    }

    /// Sets the host name.
    pub fn hostname(mut self, hostname: impl Into<String>) -> Self {
        self.0.hostname = Some(hostname.into());
        self
    }

    /// Sets the low-level runtime by name.
    pub fn runtime_class(mut self, name: impl Into<String>) -> Self {
        self.0.runtime_class = Some(name.into());
        self
    }

    /// Sets what the sandbox may connect to.
    pub fn egress(mut self, egress: EgressRules) -> Self {
        self.0.egress = egress;
        self
    }

    /// Sets when it is suspended and destroyed.
    pub fn lifecycle(mut self, lifecycle: LifecyclePolicy) -> Self {
        self.0.lifecycle = lifecycle;
        self
    }

    /// Checks everything that can be checked without a runtime.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`](crate::ErrorKind::InvalidSpec) naming the field and its limit.
    pub fn build(self) -> Result<SandboxSpec> {
        let fields = self.0;
        if let Source::Image(image) = &fields.source {
            check_image(image)?;
        }
        fields.resources.validate()?;
        check_env("spec.validate", &fields.env)?;
        check_metadata(&fields.metadata)?;
        if let Some(hostname) = &fields.hostname {
            check_label("hostname", hostname)?;
        }
        if let Some(class) = &fields.runtime_class {
            check_label("runtime_class", class)?;
        }
        Ok(SandboxSpec(fields))
    }
}

/// Checks an image reference for what could make it mean something else further down.
fn check_image(image: &str) -> Result<()> {
    let refuse = |message: String| Err(Error::invalid("spec.validate", "image", message));
    if image.is_empty() || !image.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return refuse(format!("{image:?} must start with a letter or a digit"));
    }
    if image.len() > MAX_IMAGE_BYTES {
        return refuse(format!(
            "has {} bytes; the limit is {MAX_IMAGE_BYTES}",
            image.len()
        ));
    }
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@".contains(c);
    if let Some(bad) = image.chars().find(|c| !allowed(*c)) {
        return refuse(format!("contains {bad:?}"));
    }
    // In the path of a request, `a/../../containers` is another resource.
    let starts_well = |part: &str| part.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !image.split('/').all(starts_well) {
        return refuse(
            "has a part between '/' that does not start with a letter or a digit".into(),
        );
    }
    Ok(())
}

/// Checks environment variables: names without `=` and NUL, values without NUL, the total size.
pub(crate) fn check_env(operation: &'static str, env: &BTreeMap<String, String>) -> Result<()> {
    let refuse = |message: String| Err(Error::invalid(operation, "env", message));
    for (name, value) in env {
        if name.is_empty() || name.contains(['=', '\0']) {
            return refuse(format!(
                "{name:?} is not a variable name: it is empty or contains '=' or NUL"
            ));
        }
        if value.contains('\0') {
            return refuse(format!("the value of {name:?} contains a NUL byte"));
        }
    }
    let bytes: usize = env.iter().map(|(k, v)| k.len() + v.len() + 2).sum();
    if bytes > MAX_ENV_BYTES {
        return refuse(format!("has {bytes} bytes; the limit is {MAX_ENV_BYTES}"));
    }
    Ok(())
}

fn check_metadata(metadata: &BTreeMap<String, String>) -> Result<()> {
    let refuse = |message: String| Err(Error::invalid("spec.validate", "metadata", message));
    if metadata.len() > MAX_METADATA_ENTRIES {
        let entries = metadata.len();
        return refuse(format!(
            "has {entries} entries; the limit is {MAX_METADATA_ENTRIES}"
        ));
    }
    if metadata.keys().any(String::is_empty) {
        return refuse("has an entry without a name".into());
    }
    // Databases that keep text refuse it.
    if metadata
        .iter()
        .any(|(k, v)| k.contains('\0') || v.contains('\0'))
    {
        return refuse("contains a NUL byte".into());
    }
    let bytes: usize = metadata.iter().map(|(k, v)| k.len() + v.len()).sum();
    if bytes > MAX_METADATA_BYTES {
        return refuse(format!(
            "has {bytes} bytes; the limit is {MAX_METADATA_BYTES}"
        ));
    }
    Ok(())
}

/// Checks a single host-name-like label.
fn check_label(field: &'static str, text: &str) -> Result<()> {
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    let fits = text.len() <= 63
        && edge(text.chars().next())
        && edge(text.chars().last())
        && text.chars().all(inner);
    if fits {
        return Ok(());
    }
    let message = "must be 1 to 63 letters, digits and '-', with neither end a '-'";
    Err(Error::invalid("spec.validate", field, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder() -> SandboxSpecBuilder {
        SandboxSpec::builder(
            SandboxId::from_random([1; 16]),
            Source::Image("debian:12".into()),
        )
    }

    fn refused(builder: SandboxSpecBuilder) -> String {
        builder
            .build()
            .unwrap_err()
            .field()
            .expect("names a field")
            .to_owned()
    }

    #[test]
    fn bad_fields_are_named() {
        for image in [
            "",
            "-v",
            "a b",
            "a\nb",
            "../x",
            "a/../../containers/b",
            "a/./b",
            "a//b",
            "a/",
            "a/-b",
            &"a".repeat(513),
        ] {
            let spec = builder().source(Source::Image(image.into()));
            assert_eq!(refused(spec), "image", "{image:?}");
        }
        assert_eq!(refused(builder().env("", "x")), "env");
        assert_eq!(refused(builder().env("a", "x\0")), "env");
        assert_eq!(
            refused(builder().env("a", "x".repeat(MAX_ENV_BYTES))),
            "env"
        );
        assert_eq!(refused(builder().metadata("", "x")), "metadata");
        assert_eq!(refused(builder().metadata("a", "x\0")), "metadata");
        assert_eq!(refused(builder().metadata("a\0", "x")), "metadata");
        assert_eq!(
            refused(builder().metadata("a", "x".repeat(MAX_METADATA_BYTES))),
            "metadata"
        );
        assert_eq!(refused(builder().hostname("-a")), "hostname");
        assert_eq!(refused(builder().runtime_class("a/b")), "runtime_class");
        let resources = Resources {
            memory: 1,
            ..Resources::default()
        };
        assert_eq!(refused(builder().resources(resources)), "resources.memory");
    }

    #[test]
    fn a_stored_spec_is_checked_when_it_is_read() {
        let spec = builder().metadata("k", "v").build().unwrap();
        let text = serde_json::to_string(&spec).unwrap();
        assert_eq!(serde_json::from_str::<SandboxSpec>(&text).unwrap(), spec);
        let bad = text.replace("debian:12", "-rf");
        assert_ne!(bad, text);
        assert!(serde_json::from_str::<SandboxSpec>(&bad).is_err());
    }
}
