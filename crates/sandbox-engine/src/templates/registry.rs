//! The templates by name.

use std::collections::BTreeMap;

use sandbox_core::{Error, ErrorKind, Result, RuntimeName, Template, TemplateName};

use super::nearest::not_known;
use super::{Sizes, builtin, config};

/// Templates by name, and the sizes they are offered in.
#[derive(Debug, Clone, PartialEq)]
pub struct Templates {
    templates: BTreeMap<String, Template>,
    /// Other names: what they lead to is in `templates`.
    aliases: BTreeMap<String, String>,
    /// Templates as one runtime makes them, by name and runtime.
    elsewhere: BTreeMap<(String, RuntimeName), Template>,
    sizes: Sizes,
}

impl Templates {
    /// No template, and the default sizes.
    pub fn empty() -> Self {
        Self {
            templates: BTreeMap::new(),
            aliases: BTreeMap::new(),
            elsewhere: BTreeMap::new(),
            sizes: Sizes::default(),
        }
    }

    /// The built-in templates: `base`, `python`, `node`, `go`, `rust`, and those named like the
    /// images that callers of the REST dialect use; all with the default size and egress.
    ///
    /// # Errors
    /// None that can happen: the names are part of this crate, and its tests build them.
    pub fn builtin() -> Result<Self> {
        let mut templates = Self::empty();
        for (template, aliases) in builtin::templates()? {
            templates.insert(template, aliases)?;
        }
        for (runtime, template) in builtin::elsewhere()? {
            let name = template.name.as_str().to_owned();
            templates.elsewhere.insert((name, runtime), template);
        }
        Ok(templates)
    }

    /// The built-in templates with those of a configuration (see the module) over them.
    /// `runtimes` are the names that `runtime` may have.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`] with the path of the field (`templates.data.memory`) for an
    /// unknown field, runtime or size, a value out of range, or a name that is taken; with `line
    /// N` as the field for text that is not TOML.
    pub fn from_toml(text: &str, runtimes: &[RuntimeName]) -> Result<Self> {
        let mut templates = Self::builtin()?;
        let parsed = config::parse(text)?;
        for (name, size) in parsed.sizes {
            let resolved = size.resolve(&name)?;
            templates.sizes.set(name, resolved);
        }
        for (name, template) in parsed.templates {
            let (template, aliases) = template.resolve(&name, &templates.sizes, runtimes)?;
            templates.insert(template, aliases)?;
        }
        Ok(templates)
    }

    /// Adds a template, in place of the one with its name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSpec`] with field `templates.NAME.aliases` when an alias is the name of
    /// a template.
    pub fn insert(&mut self, template: Template, aliases: Vec<TemplateName>) -> Result<()> {
        let name = template.name.as_str().to_owned();
        for alias in &aliases {
            if alias.as_str() == name || self.templates.contains_key(alias.as_str()) {
                let field = format!("templates.{name}.aliases");
                let message = format!("{:?} is the name of a template", alias.as_str());
                return Err(Error::invalid("templates.insert", field, message));
            }
        }
        // A template's own name wins over another one's alias.
        self.aliases.remove(&name);
        self.elsewhere.retain(|(own, _), _| *own != name);
        let aliases = aliases.into_iter();
        self.aliases
            .extend(aliases.map(|alias| (alias.into(), name.clone())));
        self.templates.insert(name, template);
        Ok(())
    }

    /// The template called `name`, or of which that is an alias.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] with field `template`, naming what comes near.
    pub fn get(&self, name: &str) -> Result<&Template> {
        let own = self.aliases.get(name).map_or(name, String::as_str);
        self.templates.get(own).ok_or_else(|| {
            let known = self.templates.keys().chain(self.aliases.keys());
            let message = not_known("a template", name, known);
            Error::new(ErrorKind::NotFound, "templates.get", message).with_field("template")
        })
    }

    /// `template` as `runtime` makes it: built-in ones are made from other images where those of
    /// Docker are not known.
    pub fn on<'a>(&'a self, template: &'a Template, runtime: &RuntimeName) -> &'a Template {
        let key = (template.name.as_str().to_owned(), runtime.clone());
        self.elsewhere.get(&key).unwrap_or(template)
    }

    /// Every template, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Template> {
        self.templates.values()
    }

    /// The other names of a template.
    pub fn aliases<'a>(&'a self, name: &'a TemplateName) -> impl Iterator<Item = &'a str> {
        self.aliases
            .iter()
            .filter(move |(_, own)| own.as_str() == name.as_str())
            .map(|(alias, _)| alias.as_str())
    }

    /// The sizes.
    pub fn sizes(&self) -> &Sizes {
        &self.sizes
    }
}
