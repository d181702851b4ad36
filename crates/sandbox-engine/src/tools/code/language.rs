//! Languages: their names, and what runs them.

use std::fmt;
use std::str::FromStr;

use sandbox_core::{Error, Result};

/// How an interpreter gets its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Feed {
    /// By standard input.
    Input,
    /// As a file: for those that would give the rest of the program to what it starts (shells), need
    /// a name to import from, or know files only.
    File,
}

/// A language that code can be run in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Language {
    /// Python 3.
    Python,
    /// JavaScript by Node.js, as a script or, where Node.js tells by itself, as a module.
    JavaScript,
    /// JavaScript by Node.js, as a module.
    JavaScriptModule,
    /// TypeScript.
    TypeScript,
    /// Bash.
    Bash,
    /// The sandbox's `sh`.
    Sh,
    /// Ruby.
    Ruby,
    /// Perl 5.
    Perl,
    /// PHP.
    Php,
    /// Lua.
    Lua,
    /// R.
    R,
    /// Go: one file of `package main`.
    Go,
}

#[derive(Debug)]
struct Row {
    language: Language,
    /// The first is its name, the others are as good.
    names: &'static [&'static str],
    extension: &'static str,
    feed: Feed,
    interpreters: &'static [&'static [&'static str]],
    variables: &'static [(&'static str, &'static str)],
    install: &'static str,
}

const TABLE: [Row; 12] = [
    Row {
        language: Language::Python,
        names: &["python", "python3", "py"],
        extension: "py",
        feed: Feed::File,
        interpreters: &[&["python3"], &["python"]],
        // Python puts the file's directory first on its path; code expects the working directory.
        variables: &[("PYTHONPATH", "."), ("PYTHONDONTWRITEBYTECODE", "1")],
        install: "install it (apt-get install python3, apk add python3) or use the template python",
    },
    Row {
        language: Language::JavaScript,
        names: &["javascript", "js", "node", "nodejs"],
        extension: "js",
        feed: Feed::Input,
        interpreters: &[&["node", "-"], &["nodejs", "-"]],
        variables: &[],
        install: "install it (apt-get install nodejs, apk add nodejs) or use the template node",
    },
    Row {
        language: Language::JavaScriptModule,
        names: &["mjs", "esm"],
        extension: "mjs",
        feed: Feed::Input,
        interpreters: &[
            &["node", "--input-type=module", "-"],
            &["nodejs", "--input-type=module", "-"],
        ],
        variables: &[],
        install: "install it (apt-get install nodejs, apk add nodejs) or use the template node",
    },
    Row {
        language: Language::TypeScript,
        names: &["typescript", "ts"],
        extension: "ts",
        feed: Feed::File,
        interpreters: &[&["tsx"], &["bun", "run"], &["deno", "run"], &["ts-node"]],
        variables: &[],
        install: "install one (npm install -g tsx)",
    },
    Row {
        language: Language::Bash,
        names: &["bash"],
        extension: "sh",
        feed: Feed::File,
        interpreters: &[&["bash"]],
        variables: &[],
        install: "install it (apt-get install bash, apk add bash) or use the language sh",
    },
    Row {
        language: Language::Sh,
        names: &["sh", "shell"],
        extension: "sh",
        feed: Feed::File,
        interpreters: &[&["sh"]],
        variables: &[],
        install: "use an image with a shell",
    },
    Row {
        language: Language::Ruby,
        names: &["ruby", "rb"],
        extension: "rb",
        feed: Feed::Input,
        interpreters: &[&["ruby", "-"]],
        variables: &[],
        install: "install it (apt-get install ruby, apk add ruby)",
    },
    Row {
        language: Language::Perl,
        names: &["perl", "pl"],
        extension: "pl",
        feed: Feed::Input,
        interpreters: &[&["perl", "-"]],
        variables: &[],
        install: "install it (apt-get install perl, apk add perl)",
    },
    Row {
        language: Language::Php,
        names: &["php"],
        extension: "php",
        feed: Feed::File,
        interpreters: &[&["php", "-f"]],
        variables: &[],
        install: "install it (apt-get install php-cli, apk add php)",
    },
    Row {
        language: Language::Lua,
        names: &["lua"],
        extension: "lua",
        feed: Feed::Input,
        interpreters: &[&["lua", "-"], &["lua5.4", "-"], &["luajit", "-"]],
        variables: &[],
        install: "install it (apt-get install lua5.4, apk add lua5.4)",
    },
    Row {
        language: Language::R,
        names: &["r"],
        extension: "R",
        feed: Feed::File,
        interpreters: &[&["Rscript"]],
        variables: &[],
        install: "install it (apt-get install r-base-core, apk add R)",
    },
    Row {
        language: Language::Go,
        names: &["go", "golang"],
        extension: "go",
        feed: Feed::File,
        interpreters: &[&["go", "run"]],
        variables: &[],
        install: "install it (apt-get install golang, apk add go) or use the template go",
    },
];

impl Language {
    /// Every language there is.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.language)
    }

    fn row(self) -> &'static Row {
        // Declared in the order of the table, which a test holds.
        &TABLE[self as usize]
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        self.row().names[0]
    }

    pub(super) fn extension(self) -> &'static str {
        self.row().extension
    }

    pub(super) fn feed(self) -> Feed {
        self.row().feed
    }

    pub(super) fn interpreters(self) -> &'static [&'static [&'static str]] {
        self.row().interpreters
    }

    pub(super) fn variables(self) -> &'static [(&'static str, &'static str)] {
        self.row().variables
    }

    pub(super) fn install_hint(self) -> &'static str {
        self.row().install
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Language {
    type Err = Error;

    /// Parses a name or one of its other spellings (`js`, `node`, `py`, …); case does not matter.
    fn from_str(text: &str) -> Result<Self> {
        let lower = text.to_ascii_lowercase();
        let known = TABLE.iter().find(|row| row.names.contains(&lower.as_str()));
        known.map(|row| row.language).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            let names: Vec<&str> = Self::all().map(Self::as_str).collect();
            let message = format!(
                "{shown:?} is not a language; known are: {}",
                names.join(", ")
            );
            Error::invalid("code.language", "language", message)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_is_in_its_own_row_and_found_by_all_its_names() {
        for row in &TABLE {
            assert_eq!(row.language.row().language, row.language);
            assert!(!row.interpreters.is_empty());
            for name in row.names {
                assert_eq!(
                    name.to_uppercase().parse::<Language>().unwrap(),
                    row.language
                );
            }
        }
        let error = "cobol".parse::<Language>().unwrap_err();
        assert!(error.message().contains("python, javascript"), "{error}");
    }
}
