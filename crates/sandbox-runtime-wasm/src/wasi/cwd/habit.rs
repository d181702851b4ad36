//! What a program does about its working directory, by looking at its code.

use std::collections::BTreeMap;

use wasmparser::{BinaryReaderError, Operator, Parser, Payload};

use super::Paths;

/// What a program does about its working directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Habit {
    /// What its paths are.
    pub(crate) paths: Paths,
    /// Where in its memory it keeps a pointer to its working directory.
    pub(crate) variable: Option<u32>,
}

/// What one function does, as far as it tells about the variable.
#[derive(Debug, Default)]
struct Function {
    /// How often it loads a pointer from each fixed address.
    loads: BTreeMap<u32, u32>,
    /// Whether it writes a slash and a NUL at once, as what joins two paths does.
    joins: bool,
}

impl Habit {
    /// The habit of the core module `wasm`.
    ///
    /// # Errors
    /// For a module that is malformed.
    pub(crate) fn of(wasm: &[u8]) -> Result<Self, BinaryReaderError> {
        let mut data = Data::default();
        let mut functions = Vec::new();
        let mut names = Names::default();
        let mut imported = 0;
        for payload in Parser::new(0).parse_all(wasm) {
            match payload? {
                Payload::ImportSection(section) => imported = imported_functions(section)?,
                Payload::CodeSectionEntry(body) => functions.push(Function::of(&body)?),
                Payload::DataSection(section) => data = Data::of(section)?,
                Payload::CustomSection(section) => names.read(&section),
                _ => {}
            }
        }
        Ok(Self::conclude(&data, &functions, &names, imported))
    }

    fn conclude(data: &Data<'_>, functions: &[Function], names: &Names, imported: u32) -> Self {
        let starts_as_root = |address: &u32| data.string_at(*address) == Some(b"/");
        let function = |index: Option<u32>| functions.get(index?.checked_sub(imported)? as usize);
        let only = |addresses: Vec<u32>| match addresses[..] {
            [address] => Some(address),
            _ => None,
        };
        let loaded = |function: &Function, times: u32| -> Vec<u32> {
            let often = function.loads.iter().filter(|(_, count)| **count >= times);
            often
                .map(|(address, _)| *address)
                .filter(starts_as_root)
                .collect()
        };
        // What makes paths absolute: by its name, or by what it does.
        let joiner = match function(names.joiner) {
            Some(joiner) => Some(only(loaded(joiner, 1))),
            None => {
                let joiners = functions.iter().filter(|function| function.joins);
                let mut found: Vec<u32> = joiners.flat_map(|joiner| loaded(joiner, 2)).collect();
                found.sort_unstable();
                found.dedup();
                only(found).map(Some)
            }
        };
        if let Some(variable) = joiner {
            return Self {
                paths: Paths::Absolute,
                variable,
            };
        }
        let variable = function(names.getcwd).and_then(|getcwd| only(loaded(getcwd, 1)));
        Self {
            paths: Paths::Given,
            variable,
        }
    }
}

impl Function {
    fn of(body: &wasmparser::FunctionBody<'_>) -> Result<Self, BinaryReaderError> {
        let mut function = Self::default();
        let mut last = None;
        let mut slash = false;
        for operator in body.get_operators_reader()? {
            let operator = operator?;
            match (&operator, last) {
                (Operator::I32Load { memarg }, Some(base)) => {
                    let address = u64::from(base as u32) + memarg.offset;
                    if let Ok(address) = u32::try_from(address) {
                        *function.loads.entry(address).or_default() += 1;
                    }
                }
                (Operator::I32Store16 { .. }, _) => function.joins |= slash,
                _ => {}
            }
            last = match operator {
                Operator::I32Const { value } => Some(value),
                _ => None,
            };
            slash = last == Some(i32::from(b'/'));
        }
        Ok(function)
    }
}

/// The functions that matter, by the names that a module which was not stripped has for them.
#[derive(Debug, Default)]
struct Names {
    joiner: Option<u32>,
    getcwd: Option<u32>,
}

impl Names {
    fn read(&mut self, section: &wasmparser::CustomSectionReader<'_>) {
        let wasmparser::KnownCustom::Name(names) = section.as_known() else {
            return;
        };
        // Names are no part of what a module does: what is malformed in them is left out.
        for names in names.into_iter().flatten() {
            let wasmparser::Name::Function(functions) = names else {
                continue;
            };
            for naming in functions.into_iter().flatten() {
                match naming.name {
                    "__wasilibc_find_relpath_alloc" => self.joiner = Some(naming.index),
                    "getcwd" => self.getcwd = Some(naming.index),
                    _ => {}
                }
            }
        }
    }
}

fn imported_functions(
    section: wasmparser::ImportSectionReader<'_>,
) -> Result<u32, BinaryReaderError> {
    let mut count = 0;
    for import in section.into_imports() {
        if let wasmparser::TypeRef::Func(_) = import?.ty {
            count += 1;
        }
    }
    Ok(count)
}

/// The start of a memory: its active segments by address.
#[derive(Debug, Default)]
struct Data<'a>(BTreeMap<u32, &'a [u8]>);

impl<'a> Data<'a> {
    fn of(section: wasmparser::DataSectionReader<'a>) -> Result<Self, BinaryReaderError> {
        let mut segments = BTreeMap::new();
        for segment in section {
            let segment = segment?;
            let wasmparser::DataKind::Active { offset_expr, .. } = segment.kind else {
                continue;
            };
            let mut operators = offset_expr.get_operators_reader();
            if let Operator::I32Const { value } = operators.read()? {
                segments.insert(value as u32, segment.data);
            }
        }
        Ok(Self(segments))
    }

    fn from(&self, address: u32) -> Option<&'a [u8]> {
        let (start, bytes) = self.0.range(..=address).next_back()?;
        bytes.get((address - start) as usize..)
    }

    /// The string that the pointer at `address` points to, without its NUL.
    fn string_at(&self, address: u32) -> Option<&'a [u8]> {
        let pointer = self.from(address)?.first_chunk()?;
        let bytes = self.from(u32::from_le_bytes(*pointer))?;
        // Zeros at the end of a segment can be left out: memory starts with zeros.
        bytes.split(|byte| *byte == 0).next()
    }
}
