//! What every command of a sandbox starts with.

use std::collections::BTreeMap;

use sandbox_core::{Command, SandboxPath, SandboxSpec};

use crate::labels::Defaults;

/// Where programs are looked for when neither the image nor anybody else says.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Environment, directory and user of commands that say nothing themselves.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    env: BTreeMap<String, String>,
    workdir: SandboxPath,
    user: String,
}

impl Context {
    /// The image's `defaults`, and over them what `spec` says.
    pub(crate) fn new(defaults: &Defaults, spec: &SandboxSpec) -> Self {
        let mut env = BTreeMap::from([("PATH".to_owned(), DEFAULT_PATH.to_owned())]);
        for pair in &defaults.env {
            if let Some((name, value)) = pair.split_once('=') {
                env.insert(name.to_owned(), value.to_owned());
            }
        }
        env.extend(spec.env().clone());
        let of_image = || SandboxPath::new(&defaults.workdir).ok();
        let workdir = spec.workdir().cloned().or_else(of_image);
        let of_image = || Some(defaults.user.clone()).filter(|user| !user.is_empty());
        let user = spec.user().map(|user| user.as_str().to_owned());
        Self {
            env,
            workdir: workdir.unwrap_or_else(SandboxPath::root),
            user: user.or_else(of_image).unwrap_or_else(|| "0".to_owned()),
        }
    }

    /// The environment of `command`.
    pub(crate) fn env(&self, command: &Command) -> BTreeMap<String, String> {
        let mut env = self.env.clone();
        env.extend(command.env.clone());
        env
    }

    /// The environment of commands that add nothing.
    pub(crate) fn default_env(&self) -> &BTreeMap<String, String> {
        &self.env
    }

    /// Where commands start that do not say.
    pub(crate) fn default_workdir(&self) -> &SandboxPath {
        &self.workdir
    }

    /// Where `command` starts.
    pub(crate) fn workdir<'a>(&'a self, command: &'a Command) -> &'a SandboxPath {
        command.cwd.as_ref().unwrap_or(&self.workdir)
    }

    /// Who runs commands, and owns files, where nobody says.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sandbox_core::{SandboxId, Source};

    #[test]
    fn a_command_goes_before_the_spec_and_the_spec_before_the_image() {
        let defaults = Defaults {
            user: "app".into(),
            workdir: "/srv".into(),
            env: vec!["A=image".into(), "B=image".into(), "C=image".into()],
        };
        let id = SandboxId::new("a").unwrap();
        let spec = SandboxSpec::builder(id, Source::Image("x".into()))
            .env("B", "spec")
            .env("C", "spec")
            .build()
            .unwrap();
        let context = Context::new(&defaults, &spec);
        let command = Command::shell("true").env("C", "command");
        let env = context.env(&command);
        assert_eq!(
            (&*env["A"], &*env["B"], &*env["C"]),
            ("image", "spec", "command")
        );
        assert_eq!(env["PATH"], DEFAULT_PATH);
        assert_eq!(context.workdir(&command).as_str(), "/srv");
        assert_eq!(context.user(), "app");
    }
}
