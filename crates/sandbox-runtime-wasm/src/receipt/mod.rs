//! Deterministic runs, and receipts that prove what a run did.
//!
//! A [`Recipe`] says everything that a run can depend on: image, files, command, input, limits, a
//! seed. [`Deterministic`] runs it and gives a [`Receipt`]: digests of what went in and what came
//! out, and the fuel that was used. The same recipe gives the same receipt wherever it is run by the
//! same version on the same kind of CPU, and whoever doubts a receipt can [verify] it.
//!
//! * Programs are compiled apart for this: fuel in place of the clock, one bit pattern for every
//!   NaN, one result for relaxed SIMD, no threads.
//! * The clock starts at [`EPOCH_SECONDS`]. Reading it takes a microsecond, a slice of
//!   1,000,000 units of fuel a millisecond, and when everything waits it goes on to the next alarm.
//! * Random bytes follow from the seed.
//! * Processes take turns, one slice each, in the order in which they became ready.
//! * Files have fixed times, inode numbers and an order of their own at the start.
//! * There is no network.
//!
//! [verify]: Deterministic::verify

mod block_on;
mod proof;
mod recipe;
mod recorded;
mod run;
mod sources;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use sandbox_core::{Error, ErrorKind, Result};

pub use proof::{Outcome, Receipt};
pub use recipe::{DEFAULT_FUEL, MAX_OUTPUT_BYTES, Recipe};
pub use run::Run;
pub use sources::EPOCH_SECONDS;

use crate::engine::Engine;
use crate::images::{Images, ImagesOptions};
use crate::origin::Catalogue;

/// Runs recipes. It compiles programs for itself; a clone shares them.
#[derive(Debug, Clone)]
pub struct Deterministic {
    engine: Arc<Engine>,
    images: Arc<dyn Catalogue>,
}

impl Deterministic {
    /// Runs recipes with the images of this user, as
    /// [`WasmRuntime`](crate::WasmRuntime) finds them.
    ///
    /// # Errors
    /// `Internal`; a defect.
    pub fn new() -> Result<Self> {
        let engine = Arc::new(Engine::deterministic()?);
        let options = ImagesOptions {
            threads: 2,
            ..ImagesOptions::default()
        };
        let images = Arc::new(Images::new(engine.clone(), options));
        Ok(Self { engine, images })
    }

    /// Runs `recipe` on a thread of its own. Dropping the future ends it.
    ///
    /// # Errors
    /// `InvalidSpec` naming what of the recipe cannot be; `NotFound` with field `image`, `command`
    /// or `cwd`; `Timeout` when [`Recipe::timeout`] passed, `LimitExceeded` when more was written
    /// than [`MAX_OUTPUT_BYTES`]: then there is no receipt. Everything that the command itself
    /// does, its death included, is an [`Outcome`].
    pub async fn run(&self, recipe: &Recipe) -> Result<Run> {
        recipe.validate()?;
        let origin = self.images.origin(&recipe.image).await?;
        run::run(self.engine.clone(), origin, recipe.clone()).await
    }

    /// Runs `recipe` again and holds what comes of it against `receipt`.
    ///
    /// # Errors
    /// Those of [`run`](Self::run); `Conflict` naming the first field of the receipt that is not
    /// what this run gave.
    pub async fn verify(&self, recipe: &Recipe, receipt: &Receipt) -> Result<()> {
        let run = self.run(recipe).await?;
        let Some(field) = receipt.difference(&run.receipt) else {
            return Ok(());
        };
        let message = format!("the receipt's {field} is not what this run gave");
        Err(Error::new(ErrorKind::Conflict, "receipt.verify", message).with_field(field))
    }
}
