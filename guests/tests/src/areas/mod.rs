//! The areas, by name.

mod clocks;
mod descriptors;
mod devices;
mod directories;
mod files;
mod hostile;
mod links;
mod paths;
mod pipes;
mod polling;
mod process;
mod raw;
mod times;
mod working_directory;

use std::env;

const AREAS: &[(&str, fn())] = &[
    ("files", files::files),
    ("sparse", files::sparse),
    ("append", files::append),
    ("unlinked", files::unlinked),
    ("full-disk", files::full_disk),
    ("directories", directories::directories),
    ("big-directory", directories::big_directory),
    ("moved-directory", directories::moved_directory),
    ("links", links::links),
    ("symlinks", links::symlinks),
    ("paths", paths::paths),
    ("not-text", paths::not_text),
    ("times", times::times),
    ("devices", devices::devices),
    ("dev-fd", devices::descriptors),
    ("descriptors", descriptors::descriptors),
    ("preopens", descriptors::preopens),
    ("many-descriptors", descriptors::many),
    ("clocks", clocks::clocks),
    ("polling", polling::polling),
    ("poll-stdin", polling::standard_input),
    ("pipes", pipes::pipes),
    ("broken-pipe", pipes::broken),
    ("interrupted", pipes::interrupted),
    ("environment", process::environment),
    ("random", process::random),
    ("echo", process::echo),
    ("exit", process::exit),
    ("raise", process::raise),
    ("hostile-memory", hostile::memory),
    ("hostile-buffers", hostile::buffers),
    ("hostile-numbers", hostile::numbers),
    ("working-directory", working_directory::relative),
    ("change-directory", working_directory::changed),
];

pub fn run() {
    let name = env::args().nth(1).unwrap_or_default();
    let found = AREAS.iter().find(|(area, _)| *area == name);
    let (_, area) = found.unwrap_or_else(|| panic!("there is no area {name:?}"));
    area();
}
