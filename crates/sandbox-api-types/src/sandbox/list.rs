//! Lists of sandboxes.

use std::collections::BTreeMap;

use sandbox_core::{Error, Result};
use serde::{Deserialize, Serialize};

use super::{Sandbox, SandboxStatus};

/// What precedes the name of an entry of the metadata in a query.
const METADATA: &str = "metadata.";

/// A part of the list of sandboxes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SandboxList {
    /// The sandboxes, newest first.
    pub sandboxes: Vec<Sandbox>,
    /// What to give as `cursor` for the next part; null: this was the last.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// Which sandboxes to list. As a query: `status=running&limit=20&cursor=…&metadata.user=42`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct ListSandboxes {
    /// In this status; without it, in every status but destroyed.
    pub status: Option<SandboxStatus>,
    /// The most to answer, 1 to 1000; 100 where none is given.
    pub limit: Option<usize>,
    /// Where the part before ended.
    pub cursor: Option<String>,
    /// With all of these entries in their metadata.
    pub metadata: BTreeMap<String, String>,
}

impl ListSandboxes {
    /// Reads a query.
    ///
    /// # Errors
    /// `InvalidSpec` naming the parameter: one that is not known, given twice, or whose value makes
    /// no sense.
    pub fn from_pairs<K: AsRef<str>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self> {
        let mut query = Self::default();
        for (name, value) in pairs {
            query.set(name.as_ref(), value.into())?;
        }
        Ok(query)
    }

    fn set(&mut self, name: &str, value: String) -> Result<()> {
        let twice = match name {
            "status" => self.status.replace(value.parse()?).is_some(),
            "limit" => self.limit.replace(parse_limit(&value)?).is_some(),
            "cursor" => self.cursor.replace(value).is_some(),
            _ => match name.strip_prefix(METADATA) {
                Some(key) => self.metadata.insert(key.to_owned(), value).is_some(),
                None => return Err(refuse(name, "is not known")),
            },
        };
        match twice {
            true => Err(refuse(name, "is given twice")),
            false => Ok(()),
        }
    }

    /// The query as names and values.
    pub fn to_pairs(&self) -> Vec<(String, String)> {
        let status = self.status.map(|status| status.to_string());
        let limit = self.limit.map(|limit| limit.to_string());
        let single = [
            ("status", status),
            ("limit", limit),
            ("cursor", self.cursor.clone()),
        ];
        let single = single
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        let metadata = self.metadata.iter();
        let metadata = metadata.map(|(key, value)| (format!("{METADATA}{key}"), value.clone()));
        single.chain(metadata).collect()
    }
}

fn parse_limit(text: &str) -> Result<usize> {
    text.parse()
        .map_err(|e| refuse("limit", "must be a number from 1 to 1000").with_source(e))
}

fn refuse(field: &str, message: &str) -> Error {
    let shown: String = field.chars().take(80).collect();
    Error::invalid("list.parse", shown, message)
}
