//! The configuration file: TOML, in which every key is the name of a flag, dots and all. It replaces the defaults of flags,
//! so a flag or a variable of the environment wins, and values are checked as those of flags are.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use clap::{Arg, Command};
use toml::de::{DeTable, DeValue};

use crate::spelling;

/// Where it is unless somebody says otherwise.
pub(crate) const DEFAULT_PATH: &str = "/etc/resetmon/config.toml";

/// The command whose flags can be in the file; others take what they have in common with it.
const OWNER: &str = "agent";

/// Its flags that say something about one run.
const NOT_IN_FILE: [&str; 4] = ["config", "check-config", "help", "version"];

/// Why a configuration file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// It is no TOML.
    #[error("{}:{line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// A key that names no flag.
    #[error("{}:{line}: there is no key {key}{}", path.display(), hint(.nearest.as_deref()))]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// A value that the flag does not take.
    #[error("{}:{line}: {key}: {message}", path.display())]
    Value {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The key.
        key: String,
        /// What is wrong with it.
        message: String,
    },
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map_or_else(
        || format!(" (keys are the names of the flags of resetmon {OWNER})"),
        |key| format!("; did you mean {key}?"),
    )
}

/// What a file says.
#[derive(Debug)]
pub(super) struct ConfigFile {
    path: PathBuf,
    settings: Vec<Setting>,
}

#[derive(Debug)]
struct Setting {
    key: String,
    values: Vec<String>,
    line: usize,
}

impl ConfigFile {
    /// Reads the file that was named, else the one in the usual place, if there is one.
    pub(super) fn read(named: Option<&Path>) -> Result<Option<Self>, FileError> {
        let path = named.unwrap_or(Path::new(DEFAULT_PATH));
        match fs::read_to_string(path) {
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(FileError::Read { path: path.to_owned(), source }),
        }
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, FileError> {
        let line_of = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
        let table = DeTable::parse(text).map_err(|error| FileError::Syntax {
            path: path.to_owned(),
            line: line_of(error.span().unwrap_or_default().start),
            message: error.message().to_owned(),
        })?;
        let mut file = Self { path: path.to_owned(), settings: Vec::new() };
        file.collect("", table.get_ref(), &line_of)?;
        Ok(file)
    }

    fn collect(
        &mut self,
        prefix: &str,
        table: &DeTable<'_>,
        line_of: &impl Fn(usize) -> usize,
    ) -> Result<(), FileError> {
        for (name, value) in table {
            let key = format!("{prefix}{}", name.get_ref());
            let line = line_of(name.span().start);
            if let DeValue::Table(inner) = value.get_ref() {
                self.collect(&format!("{key}."), inner, line_of)?;
                continue;
            }
            match values(value.get_ref()) {
                Some(values) => self.settings.push(Setting { key, values, line }),
                None => {
                    return Err(self.wrong_value(
                        line,
                        key,
                        "expected text, a number, true or false, or a list",
                    ));
                }
            }
        }
        Ok(())
    }

    fn wrong_value(&self, line: usize, key: String, message: impl Into<String>) -> FileError {
        FileError::Value { path: self.path.clone(), line, key, message: message.into() }
    }

    /// Whether every key is a flag, and takes its value.
    pub(super) fn check(&self, command: &Command) -> Result<(), FileError> {
        let owner = command.find_subcommand(OWNER);
        let flags: Vec<&Arg> =
            owner.into_iter().flat_map(Command::get_arguments).filter(|arg| is_key(arg)).collect();
        for setting in &self.settings {
            let Setting { key, line, .. } = setting;
            let Some(flag) = flags.iter().find(|flag| flag.get_long() == Some(key)) else {
                let known = flags.iter().filter_map(|flag| flag.get_long());
                let nearest = spelling::nearest(key, known).map(str::to_owned);
                return Err(FileError::UnknownKey {
                    path: self.path.clone(),
                    line: *line,
                    key: key.clone(),
                    nearest,
                });
            };
            setting
                .check((*flag).clone())
                .map_err(|message| self.wrong_value(*line, key.clone(), message))?;
        }
        Ok(())
    }

    /// The command with these defaults, where its subcommand of that name has the flag.
    pub(super) fn apply(&self, command: Command, subcommand: &str) -> Command {
        command.mut_subcommand(subcommand, |subcommand| {
            subcommand.mut_args(|flag| {
                let setting =
                    self.settings.iter().find(|setting| Some(setting.key.as_str()) == flag.get_long());
                match setting {
                    Some(setting) => flag.default_values(setting.values.clone()),
                    None => flag,
                }
            })
        })
    }
}

impl Setting {
    /// Asks clap, with nothing else around that could be wrong.
    fn check(&self, flag: Arg) -> Result<(), String> {
        let alone = flag.env(None::<&str>).default_values(None::<&str>);
        let arguments = self.values.iter().map(|value| format!("--{}={value}", self.key));
        let checked = Command::new("file").no_binary_name(true).arg(alone).try_get_matches_from(arguments);
        checked.map(|_matches| ()).map_err(|error| {
            let message = error.to_string();
            let first = message.lines().next().unwrap_or_default();
            first.trim_start_matches("error: ").to_owned()
        })
    }
}

fn is_key(flag: &Arg) -> bool {
    flag.get_long().is_some_and(|long| !NOT_IN_FILE.contains(&long)) && !flag.is_global_set()
}

/// The values as they would be typed; `None` for what no flag takes.
fn values(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(elements) => elements.iter().map(|element| text(element.get_ref())).collect(),
        value => Some(vec![text(value)?]),
    }
}

fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Boolean(is_on) => Some(is_on.to_string()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
