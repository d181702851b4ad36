//! What a component can import, and whether it is a program.

use std::fmt;

use wasmtime::component::types::{ComponentFunc, ComponentItem, Type};
use wasmtime::component::{Component, Linker as ComponentLinker};
use wasmtime::{Engine, Result};

use super::bindings::CommandPre;
use super::bindings::wasi::{cli, clocks, filesystem, random, sockets};
use super::state::{HostData, host};
use crate::engine::ProcessState;

/// Everything that a command component can import.
pub(crate) struct Linker(ComponentLinker<ProcessState>);

/// A component that is compiled and linked, ready to be instantiated any number of times.
#[derive(Clone)]
pub(crate) struct Program {
    pub(super) command: CommandPre<ProcessState>,
    /// Places of processes that an instance takes up: one for each memory and two tables.
    pub(super) places: u32,
}

/// The most linear memories of a component, over all its instances.
const MAX_MEMORIES: u32 = 8;
/// The most tables.
const MAX_TABLES: u32 = 32;

macro_rules! add {
    ($linker:ident: $($interface:path,)*) => {{
        $({
            use $interface as interface;
            interface::add_to_linker::<ProcessState, HostData>(&mut $linker, host)?;
        })*
    }};
}

impl Linker {
    pub(crate) fn new(engine: &Engine) -> Result<Self> {
        let mut linker = ComponentLinker::new(engine);
        wasmtime_wasi_io::add_to_linker_async(&mut linker)?;
        add! { linker:
            cli::environment,
            cli::exit,
            cli::stdin,
            cli::stdout,
            cli::stderr,
            cli::terminal_input,
            cli::terminal_output,
            cli::terminal_stdin,
            cli::terminal_stdout,
            cli::terminal_stderr,
            clocks::monotonic_clock,
            clocks::wall_clock,
            filesystem::preopens,
            filesystem::types,
            random::insecure,
            random::insecure_seed,
            random::random,
            sockets::instance_network,
            sockets::ip_name_lookup,
            sockets::tcp,
            sockets::tcp_create_socket,
            sockets::udp,
            sockets::udp_create_socket,
        }
        let mut options = sockets::network::LinkOptions::default();
        options.network_error_code(true);
        sockets::network::add_to_linker::<ProcessState, HostData>(&mut linker, &options, host)?;
        Ok(Self(linker))
    }

    /// Links a compiled component.
    ///
    /// # Errors
    /// Why it is no program that can run here, for a person: what it imports and does not get,
    /// that it exports no `wasi:cli/run`, that it has too many memories or tables.
    pub(crate) fn link(&self, component: &Component) -> Result<Program, String> {
        let places = check(component)?;
        let told = |error: wasmtime::Error| format!("{error:#}");
        let linked = self.0.instantiate_pre(component).map_err(told)?;
        check_run(component)?;
        let command = CommandPre::new(linked).map_err(told)?;
        Ok(Program { command, places })
    }
}

/// Refuses a component without the function that runs a program.
fn check_run(component: &Component) -> Result<(), String> {
    let of_type = component.component_type();
    let engine = component.engine();
    let run = of_type
        .exports(engine)
        .filter(|(name, _)| name.starts_with("wasi:cli/run@0.2."))
        .find_map(|(_, export)| match export.ty {
            ComponentItem::ComponentInstance(instance) => {
                instance.get_export(engine, "run").map(|run| run.ty)
            }
            _ => None,
        });
    match run {
        Some(ComponentItem::ComponentFunc(run)) if is_run(&run) => Ok(()),
        Some(_) => Err("its `wasi:cli/run` is not that of WASI 0.2".into()),
        None => Err("it exports no `wasi:cli/run` of WASI 0.2; is it a library?".into()),
    }
}

/// Whether it takes nothing, and answers that it went well or not and nothing more.
fn is_run(run: &ComponentFunc) -> bool {
    let mut results = run.results();
    let plain = matches!(
        results.next(),
        Some(Type::Result(result)) if result.ok().is_none() && result.err().is_none()
    );
    plain && results.next().is_none() && run.params().next().is_none()
}

/// How many places a component takes, when it does not have too much.
fn check(component: &Component) -> Result<u32, String> {
    let Some(required) = component.resources_required() else {
        return Err("it takes modules or components from outside".into());
    };
    if required.num_memories > MAX_MEMORIES {
        let has = required.num_memories;
        return Err(format!(
            "it has {has} memories; the limit is {MAX_MEMORIES}"
        ));
    }
    if required.num_tables > MAX_TABLES {
        let has = required.num_tables;
        return Err(format!("it has {has} tables; the limit is {MAX_TABLES}"));
    }
    Ok(required.num_memories.max(required.num_tables.div_ceil(2)))
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Program");
        debug.field("places", &self.places).finish_non_exhaustive()
    }
}
