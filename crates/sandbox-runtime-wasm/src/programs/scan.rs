//! Counting what a module has before it is compiled.

use wasmparser::{
    CompositeInnerType, Encoding, ExternalKind, FunctionBody, Import, Imports, Parser, Payload,
    TypeRef,
};

use super::limits::ModuleLimits;
use super::refused::Refused;

/// What kind of binary a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A core module that speaks WASI preview 1.
    Module,
    /// A component that speaks WASI preview 2.
    Component,
}

/// Whether an import is provided.
pub(crate) type Known<'a> = &'a dyn Fn(&str, &str) -> bool;

/// The kind that the first bytes of a file claim; `None` when it is neither.
pub fn kind_of(start: &[u8]) -> Option<Kind> {
    match start.get(..8)? {
        b"\0asm\x01\0\0\0" => Some(Kind::Module),
        b"\0asm\x0d\0\x01\0" => Some(Kind::Component),
        _ => None,
    }
}

/// Counts what `wasm` has. It is not validated: the compiler does that, and this makes sure that
/// the compiler gets through in time.
///
/// # Errors
/// What is too much, malformed, not provided or missing.
pub(crate) fn scan(wasm: &[u8], limits: &ModuleLimits, known: Known<'_>) -> Result<Kind, Refused> {
    check("bytes", wasm.len() as u64, limits.bytes)?;
    let kind = kind_of(wasm).ok_or_else(|| {
        Refused::Malformed("it does not begin like one of a version known here".to_owned())
    })?;
    let mut seen = Seen::new(limits, kind, known);
    for payload in Parser::new(0).parse_all(wasm) {
        seen.payload(&payload.map_err(malformed)?)?;
    }
    if kind == Kind::Module {
        seen.check_program()?;
    }
    Ok(kind)
}

fn malformed(error: wasmparser::BinaryReaderError) -> Refused {
    Refused::Malformed(error.to_string())
}

fn check(what: &'static str, has: u64, limit: u64) -> Result<(), Refused> {
    match has <= limit {
        true => Ok(()),
        false => Err(Refused::TooLarge { what, has, limit }),
    }
}

struct Seen<'a> {
    limits: &'a ModuleLimits,
    kind: Kind,
    known: Known<'a>,
    functions: u64,
    tables: u64,
    memories: u64,
    /// Of a component, those of all its modules together.
    items: u64,
    start: Option<u32>,
    memory: bool,
    /// The type of each function, as far as the start function needs it.
    types: Vec<bool>,
    function_types: Vec<u32>,
}

impl<'a> Seen<'a> {
    fn new(limits: &'a ModuleLimits, kind: Kind, known: Known<'a>) -> Self {
        Self {
            limits,
            kind,
            known,
            functions: 0,
            tables: 0,
            memories: 0,
            items: 0,
            start: None,
            memory: false,
            types: Vec::new(),
            function_types: Vec::new(),
        }
    }

    fn payload(&mut self, payload: &Payload<'_>) -> Result<(), Refused> {
        match payload {
            Payload::Version { encoding, .. }
                if *encoding == Encoding::Component && self.kind == Kind::Module =>
            {
                return Err(Refused::Malformed("a component in a module".to_owned()));
            }
            Payload::TypeSection(types) => {
                self.items(types.count())?;
                if self.kind == Kind::Module {
                    self.types(types.clone())?;
                }
            }
            Payload::ImportSection(imports) => {
                self.items(imports.count())?;
                for import in imports.clone() {
                    self.imports(import.map_err(malformed)?)?;
                }
            }
            Payload::FunctionSection(functions) => {
                self.functions(u64::from(functions.count()))?;
                if self.kind == Kind::Module {
                    for index in functions.clone() {
                        self.function_types.push(index.map_err(malformed)?);
                    }
                }
            }
            Payload::TableSection(tables) => self.tables(tables.count())?,
            Payload::MemorySection(memories) => self.memories(memories.count())?,
            Payload::GlobalSection(section) => self.items(section.count())?,
            Payload::ElementSection(section) => self.items(section.count())?,
            Payload::DataSection(section) => self.items(section.count())?,
            Payload::TagSection(section) => self.items(section.count())?,
            Payload::ExportSection(exports) => {
                self.items(exports.count())?;
                for export in exports.clone() {
                    let export = export.map_err(malformed)?;
                    match (export.name, export.kind) {
                        ("_start", ExternalKind::Func) => self.start = Some(export.index),
                        ("memory", ExternalKind::Memory) => self.memory = true,
                        _ => {}
                    }
                }
            }
            Payload::CodeSectionEntry(body) => self.body(body)?,
            // What else a component has is small against its modules, and counted by its bytes.
            _ => {}
        }
        Ok(())
    }

    fn imports(&mut self, imports: Imports<'_>) -> Result<(), Refused> {
        for import in imports {
            let (_, import) = import.map_err(malformed)?;
            self.import(&import)?;
        }
        Ok(())
    }

    fn import(&mut self, import: &Import<'_>) -> Result<(), Refused> {
        match import.ty {
            TypeRef::Func(index) | TypeRef::FuncExact(index) => {
                self.functions(1)?;
                self.function_types.push(index);
            }
            TypeRef::Table(_) => self.tables(1)?,
            TypeRef::Memory(_) => self.memories(1)?,
            TypeRef::Global(_) | TypeRef::Tag(_) => {}
        }
        // The modules in a component get theirs from the component.
        if self.kind == Kind::Module && !(self.known)(import.module, import.name) {
            return Err(Refused::UnknownImport {
                module: short(import.module),
                name: short(import.name),
            });
        }
        Ok(())
    }

    fn types(&mut self, types: wasmparser::TypeSectionReader<'_>) -> Result<(), Refused> {
        for group in types {
            for ty in group.map_err(malformed)?.into_types() {
                let plain = matches!(&ty.composite_type.inner, CompositeInnerType::Func(function)
                    if function.params().is_empty() && function.results().is_empty());
                self.types.push(plain);
            }
            self.check_items(self.types.len() as u64)?;
        }
        Ok(())
    }

    fn functions(&mut self, more: u64) -> Result<(), Refused> {
        self.functions += more;
        check(
            "functions",
            self.functions,
            u64::from(self.limits.functions),
        )
    }

    fn tables(&mut self, more: u32) -> Result<(), Refused> {
        self.tables += u64::from(more);
        check("tables", self.tables, u64::from(self.limits.tables))
    }

    fn memories(&mut self, more: u32) -> Result<(), Refused> {
        self.memories += u64::from(more);
        // A component has its adapters', which import the one of its main module.
        let modules = match self.kind {
            Kind::Module => 1,
            Kind::Component => 10,
        };
        check(
            "memories",
            self.memories,
            modules * u64::from(self.limits.memories),
        )
    }

    fn items(&mut self, more: u32) -> Result<(), Refused> {
        self.items += u64::from(more);
        self.check_items(self.items)
    }

    fn check_items(&self, has: u64) -> Result<(), Refused> {
        check(
            "imports, exports, types and segments",
            has,
            u64::from(self.limits.items),
        )
    }

    fn body(&self, body: &FunctionBody<'_>) -> Result<(), Refused> {
        let bytes = body.range();
        let bytes = (bytes.end - bytes.start) as u64;
        check(
            "bytes of one function",
            bytes,
            u64::from(self.limits.function_bytes),
        )?;
        let mut locals = 0_u64;
        for run in body.get_locals_reader().map_err(malformed)? {
            locals += u64::from(run.map_err(malformed)?.0);
            check(
                "locals of one function",
                locals,
                u64::from(self.limits.locals),
            )?;
        }
        Ok(())
    }

    fn check_program(&self) -> Result<(), Refused> {
        let missing = |what: &str| Err(Refused::NoProgram(what.to_owned()));
        let Some(start) = self.start else {
            return missing("it exports no function `_start`; is it a library?");
        };
        let index = self.function_types.get(start as usize).copied();
        let plain = index.and_then(|index| self.types.get(index as usize));
        if plain != Some(&true) {
            return missing("its `_start` takes or returns something");
        }
        if !self.memory {
            return missing("it exports no `memory`");
        }
        Ok(())
    }
}

/// A name in an error: names in modules may be long.
fn short(name: &str) -> String {
    name.chars().take(80).collect()
}
