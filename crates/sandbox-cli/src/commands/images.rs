//! Images of the Wasm runtime, on this machine.

use futures_util::StreamExt;
use sandbox_core::{Error, ErrorKind, Result};
use sandbox_runtime_wasm::images::{ImageStore, Manifest, Registries, pull};
use serde::Serialize;

use crate::args::ImagesCommand;
use crate::output::{Printer, Spinner};
use crate::show;

/// An image, as it is listed.
#[derive(Debug, Serialize)]
pub(crate) struct ImageRow {
    /// Its name.
    pub(crate) name: String,
    /// The version of what is in it.
    pub(crate) version: String,
    /// Whether it is here.
    pub(crate) pulled: bool,
    /// Bytes it takes; of one that is not here, bytes to fetch. None of what is built in.
    pub(crate) bytes: Option<u64>,
    /// What it is.
    pub(crate) summary: String,
    /// The licences of what is in it.
    pub(crate) licence: String,
}

/// Lists, pulls and removes images.
///
/// # Errors
/// `NotFound` with field `image` for a name that leads to none; those of pulling.
pub(crate) async fn images(command: &ImagesCommand, printer: Printer) -> Result<()> {
    let store = ImageStore::of_user()?;
    match command {
        ImagesCommand::List => printer.table(&rows(&store), |rows| show::images(rows)),
        ImagesCommand::Pull { name } => {
            let manifest = named(name)?;
            let spinner = Spinner::new(printer.is_json());
            let mut reports = pull(&store, manifest, &Registries::of_this_machine());
            while let Some(report) = reports.next().await {
                spinner.report(&report?);
            }
            drop(spinner);
            let Manifest { name, version, .. } = manifest;
            printer.document(&row(&store, manifest), |_| {
                vec![format!(
                    "{name} {version} is ready: sandbox run --runtime wasm --template {name}"
                )]
            })
        }
        ImagesCommand::Rm { name } => {
            let manifest = named(name)?;
            store.remove(manifest)?;
            printer.note(&format!("{} is removed", manifest.name));
            Ok(())
        }
    }
}

fn named(name: &str) -> Result<&'static Manifest> {
    Manifest::named(name).ok_or_else(|| {
        let names: Vec<_> = Manifest::all()
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        let names = names.join(", ");
        let message = match name {
            "base" => format!("the image base is built in; others are {names}"),
            _ => format!("there is no image {name:?}; there are {names}"),
        };
        Error::new(ErrorKind::NotFound, "cli.images", message).with_field("image")
    })
}

fn rows(store: &ImageStore) -> Vec<ImageRow> {
    let base = ImageRow {
        name: "base".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pulled: true,
        bytes: None,
        summary: "a small Linux tree with a shell and tools, built in".to_owned(),
        licence: "MIT OR Apache-2.0".to_owned(),
    };
    let others = Manifest::all().iter().map(|manifest| row(store, manifest));
    std::iter::once(base).chain(others).collect()
}

fn row(store: &ImageStore, manifest: &Manifest) -> ImageRow {
    let size = store.size(manifest);
    ImageRow {
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        pulled: size.is_some(),
        bytes: Some(size.unwrap_or(manifest.package.bytes)),
        summary: manifest.summary.clone(),
        licence: manifest.licence.clone(),
    }
}
