//! Making a command of a module that is a library: a `_start` that calls what it exports, and
//! functions of its own in place of imports that nothing provides.

use std::collections::HashMap;

use sandbox_core::{Error, ErrorKind, Result};
use wasm_encoder::reencode::{self, Reencode};
use wasm_encoder::{
    CodeSection, EntityType, ExportKind, ExportSection, Function, FunctionSection, ImportSection,
    Module, TypeSection, ValType,
};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef};

use super::manifest::{Adapt, Step, StepKind};

const WASI: &str = "wasi_snapshot_preview1";

/// The functions that `_start` itself needs, and their types.
const NEEDED: [(&str, &[ValType], &[ValType]); 3] = [
    (
        "args_sizes_get",
        &[ValType::I32, ValType::I32],
        &[ValType::I32],
    ),
    ("args_get", &[ValType::I32, ValType::I32], &[ValType::I32]),
    ("proc_exit", &[ValType::I32], &[]),
];

/// Adapts `wasm` as `how` says. Custom sections are left out.
///
/// # Errors
/// `Internal`: what is adapted is pinned by its digest, so a manifest is wrong.
pub(super) fn adapt(wasm: &[u8], how: &Adapt) -> Result<Vec<u8>> {
    let wrong = |e: reencode::Error| defect(&e.to_string());
    let outline = Outline::read(wasm, how).map_err(wrong)??;
    rewrite(wasm, how, &outline).map_err(wrong)?
}

fn defect(why: &str) -> Error {
    let message = format!("the program of an image cannot be adapted: {why}");
    Error::new(ErrorKind::Internal, "wasm.pull", message)
}

/// Which function is what, before and after.
struct Outline<'a> {
    /// New index of each old import.
    imports: Vec<u32>,
    /// Old and new number of imported functions, the new one with those for `_start`.
    old_imports: u32,
    new_imports: u32,
    /// The type of each import that becomes a function of its own, and its answer.
    stubs: Vec<(u32, i32)>,
    defined: u32,
    types: u32,
    /// New indices of [`NEEDED`].
    needed: HashMap<&'static str, u32>,
    /// Those of [`NEEDED`] that were not imported, with the index of the type that is added.
    added: Vec<(&'static str, u32)>,
    exports: HashMap<&'a str, u32>,
}

type Read<T> = std::result::Result<T, reencode::Error>;

impl<'a> Outline<'a> {
    fn read(wasm: &'a [u8], how: &Adapt) -> Read<Result<Self>> {
        let mut outline = Self {
            imports: Vec::new(),
            old_imports: 0,
            new_imports: 0,
            stubs: Vec::new(),
            defined: 0,
            types: 0,
            needed: HashMap::new(),
            added: Vec::new(),
            exports: HashMap::new(),
        };
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::TypeSection(types) => {
                    for group in types {
                        outline.types += u32::try_from(group?.types().len()).unwrap_or(u32::MAX);
                    }
                }
                Payload::ImportSection(imports) => {
                    for import in imports.into_imports() {
                        outline.import(&import?, how);
                    }
                }
                Payload::FunctionSection(functions) => outline.defined = functions.count(),
                Payload::ExportSection(exports) => {
                    for export in exports {
                        let export = export?;
                        if export.kind == ExternalKind::Func {
                            outline.exports.insert(export.name, export.index);
                        }
                    }
                }
                _ => {}
            }
        }
        if outline.stubs.len() != how.stub.len() {
            return Ok(Err(defect("an import to replace is not there")));
        }
        outline.add_needed();
        Ok(Ok(outline))
    }

    fn import(&mut self, import: &wasmparser::Import<'a>, how: &Adapt) {
        let TypeRef::Func(ty) = import.ty else { return };
        self.old_imports += 1;
        let stub = how
            .stub
            .iter()
            .find(|stub| stub.module == import.module && stub.name == import.name);
        if let Some(stub) = stub {
            // Counted from the end; moved behind all imports once their number is known.
            let index = u32::try_from(self.stubs.len()).unwrap_or(u32::MAX);
            self.imports.push(u32::MAX - index);
            self.stubs.push((ty, stub.answer));
            return;
        }
        let needed = NEEDED.iter().find(|(name, ..)| *name == import.name);
        if let Some((name, ..)) = needed.filter(|_| import.module == WASI) {
            self.needed.insert(name, self.new_imports);
        }
        self.imports.push(self.new_imports);
        self.new_imports += 1;
    }

    fn add_needed(&mut self) {
        for (index, (name, ..)) in (self.types..).zip(NEEDED) {
            if !self.needed.contains_key(name) {
                self.needed.insert(name, self.new_imports);
                self.added.push((name, index));
                self.new_imports += 1;
            }
        }
        for import in &mut self.imports {
            if *import > u32::MAX / 2 {
                *import = self.new_imports + (u32::MAX - *import);
            }
        }
    }

    fn stub_count(&self) -> u32 {
        u32::try_from(self.stubs.len()).unwrap_or(u32::MAX)
    }

    fn function(&self, old: u32) -> u32 {
        match self.imports.get(old as usize) {
            Some(new) => *new,
            None => self.new_imports + self.stub_count() + (old - self.old_imports),
        }
    }

    fn start(&self) -> u32 {
        self.new_imports + self.stub_count() + self.defined
    }

    /// The type of `_start`, which is added after those of [`NEEDED`].
    fn start_type(&self) -> u32 {
        self.types + u32::try_from(NEEDED.len()).unwrap_or(u32::MAX)
    }

    fn exported(&self, name: &str) -> Result<u32> {
        let found = self.exports.get(name).map(|old| self.function(*old));
        found.ok_or_else(|| defect(&format!("it exports no function `{name}`")))
    }
}

impl Reencode for &Outline<'_> {
    type Error = std::convert::Infallible;

    fn function_index(&mut self, func: u32) -> Read<u32> {
        Ok(self.function(func))
    }
}

fn rewrite(wasm: &[u8], how: &Adapt, outline: &Outline<'_>) -> Read<Result<Vec<u8>>> {
    let start = match start_function(how, outline) {
        Ok(start) => start,
        Err(error) => return Ok(Err(error)),
    };
    let mut reencoder = outline;
    let mut module = Module::new();
    let mut code = CodeSection::new();
    let mut bodies = 0;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload? {
            Payload::TypeSection(section) => {
                let mut types = TypeSection::new();
                reencoder.parse_type_section(&mut types, section)?;
                for (_, params, results) in NEEDED {
                    let (params, results) = (params.iter().copied(), results.iter().copied());
                    types.ty().function(params, results);
                }
                types.ty().function([], []);
                module.section(&types);
            }
            Payload::ImportSection(section) => {
                module.section(&imports(section, how, &mut reencoder)?);
            }
            Payload::FunctionSection(section) => {
                let mut functions = FunctionSection::new();
                outline.stubs.iter().for_each(|(ty, _)| {
                    functions.function(*ty);
                });
                reencoder.parse_function_section(&mut functions, section)?;
                functions.function(outline.start_type());
                module.section(&functions);
            }
            Payload::TableSection(section) => {
                let mut tables = wasm_encoder::TableSection::new();
                reencoder.parse_table_section(&mut tables, section)?;
                module.section(&tables);
            }
            Payload::MemorySection(section) => {
                let mut memories = wasm_encoder::MemorySection::new();
                reencoder.parse_memory_section(&mut memories, section)?;
                module.section(&memories);
            }
            Payload::TagSection(section) => {
                let mut tags = wasm_encoder::TagSection::new();
                reencoder.parse_tag_section(&mut tags, section)?;
                module.section(&tags);
            }
            Payload::GlobalSection(section) => {
                let mut globals = wasm_encoder::GlobalSection::new();
                reencoder.parse_global_section(&mut globals, section)?;
                module.section(&globals);
            }
            Payload::ExportSection(section) => {
                let mut exports = ExportSection::new();
                reencoder.parse_export_section(&mut exports, section)?;
                exports.export("_start", ExportKind::Func, outline.start());
                module.section(&exports);
            }
            Payload::StartSection { func, .. } => {
                let function_index = outline.function(func);
                module.section(&wasm_encoder::StartSection { function_index });
            }
            Payload::ElementSection(section) => {
                let mut elements = wasm_encoder::ElementSection::new();
                reencoder.parse_element_section(&mut elements, section)?;
                module.section(&elements);
            }
            Payload::DataCountSection { count, .. } => {
                module.section(&wasm_encoder::DataCountSection { count });
            }
            Payload::CodeSectionStart { .. } => {
                for (_, answer) in &outline.stubs {
                    let mut stub = Function::new([]);
                    stub.instructions().i32_const(*answer).end();
                    code.function(&stub);
                }
            }
            Payload::CodeSectionEntry(body) => {
                reencoder.parse_function_body(&mut code, body)?;
                bodies += 1;
                if bodies == outline.defined {
                    code.function(&start);
                    module.section(&code);
                }
            }
            Payload::DataSection(section) => {
                let mut data = wasm_encoder::DataSection::new();
                reencoder.parse_data_section(&mut data, section)?;
                module.section(&data);
            }
            _ => {}
        }
    }
    Ok(Ok(module.finish()))
}

fn imports(
    section: wasmparser::ImportSectionReader<'_>,
    how: &Adapt,
    reencoder: &mut &Outline<'_>,
) -> Read<ImportSection> {
    let mut imports = ImportSection::new();
    for import in section.into_imports() {
        let import = import?;
        let replaced = how
            .stub
            .iter()
            .any(|stub| stub.module == import.module && stub.name == import.name);
        if !replaced {
            imports.import(
                import.module,
                import.name,
                reencoder.entity_type(import.ty)?,
            );
        }
    }
    for (name, ty) in &reencoder.added {
        imports.import(WASI, name, EntityType::Function(*ty));
    }
    Ok(imports)
}

/// `_start`: the steps, and then an exit with 0 where no step ended it.
fn start_function(how: &Adapt, outline: &Outline<'_>) -> Result<Function> {
    let mut start = Function::new([(LOCALS, ValType::I32)]);
    for step in &how.start {
        let function = outline.exported(&step.function)?;
        match step.kind {
            StepKind::Call => {
                start.instructions().call(function);
            }
            StepKind::Exit => {
                let exit = outline.needed["proc_exit"];
                start.instructions().call(function).call(exit).unreachable();
            }
            StepKind::Main => call_main(&mut start, step, function, outline)?,
        }
    }
    start.instructions().end();
    Ok(start)
}

/// Locals of `_start`: where the sizes are, the number of arguments, their addresses, a string.
const LOCALS: u32 = 4;
const SIZES: u32 = 0;
const ARGC: u32 = 1;
const ARGV: u32 = 2;
const TEXT: u32 = 3;

/// Calls a `main` with the program's arguments, and those of the step behind the first. Memory is
/// had from the module's own `malloc`.
fn call_main(start: &mut Function, step: &Step, main: u32, outline: &Outline<'_>) -> Result<()> {
    let malloc = outline.exported("malloc")?;
    let word = |offset: usize| wasm_encoder::MemArg {
        offset: offset as u64,
        align: 2,
        memory_index: 0,
    };
    let byte = |offset: usize| wasm_encoder::MemArg {
        align: 0,
        ..word(offset)
    };
    let length = |len: usize| i32::try_from(len).map_err(|_| defect("an argument is too long"));
    let extra = length(step.args.len())?;
    let mut code = start.instructions();
    code.i32_const(8)
        .call(malloc)
        .local_tee(SIZES)
        .local_get(SIZES)
        .i32_const(4)
        .i32_add();
    code.call(outline.needed["args_sizes_get"]).drop();
    code.local_get(SIZES).i32_load(word(0)).local_set(ARGC);
    // Addresses, with room for those of the step and a null at the end.
    code.local_get(ARGC)
        .i32_const(extra + 1)
        .i32_add()
        .i32_const(4)
        .i32_mul();
    code.call(malloc)
        .local_tee(ARGV)
        .i32_const(4 * extra)
        .i32_add();
    code.local_get(SIZES).i32_load(word(4)).call(malloc);
    code.call(outline.needed["args_get"]).drop();
    // The program's name comes before the step's arguments.
    code.local_get(ARGV)
        .local_get(ARGV)
        .i32_load(word(4 * step.args.len()))
        .i32_store(word(0));
    for (index, arg) in step.args.iter().enumerate() {
        code.i32_const(length(arg.len() + 1)?)
            .call(malloc)
            .local_set(TEXT);
        for (offset, value) in arg.bytes().chain([0]).enumerate() {
            code.local_get(TEXT)
                .i32_const(i32::from(value))
                .i32_store8(byte(offset));
        }
        code.local_get(ARGV)
            .local_get(TEXT)
            .i32_store(word(4 * (index + 1)));
    }
    // The null.
    code.local_get(ARGV)
        .local_get(ARGC)
        .i32_const(extra)
        .i32_add()
        .i32_const(4)
        .i32_mul();
    code.i32_add().i32_const(0).i32_store(word(0));
    code.local_get(ARGC)
        .i32_const(extra)
        .i32_add()
        .local_get(ARGV)
        .call(main)
        .drop();
    Ok(())
}
