//! Variables.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ast::Bytes;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    Text(Bytes),
    /// An indexed array; `x` alone is element 0.
    Array(BTreeMap<i64, Bytes>),
    /// An associative array.
    Map(BTreeMap<Bytes, Bytes>),
}

/// A variable; without a value, only its attributes are known.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Var {
    pub value: Option<Value>,
    pub exported: bool,
    pub readonly: bool,
    /// Assignments evaluate arithmetic.
    pub integer: bool,
}

impl Var {
    /// The value as one text.
    pub fn text(&self) -> Option<&Bytes> {
        match self.value.as_ref()? {
            Value::Text(text) => Some(text),
            Value::Array(items) => items.get(&0),
            Value::Map(items) => items.get(&b"0"[..]),
        }
    }
}

/// All variables by name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vars(pub BTreeMap<Bytes, Var>);

impl Vars {
    pub fn get(&self, name: &[u8]) -> Option<&Var> {
        self.0.get(name)
    }

    pub fn entry(&mut self, name: &[u8]) -> &mut Var {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_vec(), Var::default());
        }
        self.0.entry(name.to_vec()).or_default()
    }

    /// `NAME=value` of each exported variable, each ended by NUL.
    pub fn environment(&self) -> Bytes {
        let mut out = Bytes::new();
        for (name, var) in &self.0 {
            if let (true, Some(text)) = (var.exported, var.text()) {
                out.extend_from_slice(name);
                out.push(b'=');
                out.extend_from_slice(text);
                out.push(0);
            }
        }
        out
    }
}
