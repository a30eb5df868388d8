//! The places settings come from, one over the other.
//!
//! Does not know what the values mean; unknown names are faults.

use std::{borrow::Cow, path::PathBuf};

use figment::{
    Metadata, Profile, Provider,
    providers::{Format, Toml},
    value::{Dict, Map, Value},
};

use super::{FILE_DEFAULT, FILE_VARIABLE, Fault, SETTINGS, Setting, Sources};

/// The name of the layer of built-in values.
pub const DEFAULTS: &str = "default";
/// The name of the layer of environment variables.
pub const ENVIRONMENT: &str = "environment";
/// The name of the layer of command-line flags.
pub const FLAGS: &str = "flag";

/// Variables that are for clients of a server: their verbs read them.
const OF_CLIENTS: [&str; 1] = ["NODE0_TOKEN"];
/// Variables beginning with `NODE0_` that are for the tests and not for the program.
const OF_THE_TESTS: [&str; 2] = ["NODE0_TEST_", "NODE0_FIXTURES_REQUIRED"];

/// Values with one origin.
pub struct Layer {
    name: Cow<'static, str>,
    values: Dict,
}

impl Layer {
    /// What is built in.
    pub fn defaults() -> Layer {
        let values = SETTINGS
            .iter()
            .filter_map(|setting| Some((setting.key.to_owned(), Value::from(setting.default?()))));
        Layer { name: DEFAULTS.into(), values: values.collect() }
    }

    /// The file asked for, or the usual one when it is there.
    pub fn file(sources: &Sources, faults: &mut Vec<Fault>) -> Layer {
        let asked_for = sources.file.clone().or_else(|| {
            let found = sources.environment.iter().find(|(name, _)| name == FILE_VARIABLE);
            found.map(|(_, value)| PathBuf::from(value))
        });
        let (path, must_exist) = match asked_for {
            Some(path) => (path, true),
            None => (PathBuf::from(FILE_DEFAULT), false),
        };
        let name = path.display().to_string();
        let mut layer = Layer { name: name.clone().into(), values: Dict::new() };
        if !must_exist && !path.exists() {
            return layer;
        }
        let read = std::fs::read_to_string(&path).map_err(|error| error.to_string());
        match read.and_then(|text| Toml::from_str::<Dict>(&text).map_err(|error| error.to_string()))
        {
            Ok(values) => layer.values = values,
            Err(what) => faults.push(Fault { place: name.clone(), what }),
        }
        for key in layer.values.keys().filter(|key| Setting::named(key).is_none()) {
            faults.push(Fault { place: name.clone(), what: unknown(key) });
        }
        layer
    }

    /// What the environment sets.
    pub fn environment(variables: &[(String, String)], faults: &mut Vec<Fault>) -> Layer {
        let mut values = Dict::new();
        for setting in SETTINGS {
            // Our own name counts more than the one that everybody uses.
            let names = setting.alias.map(str::to_owned).into_iter().chain([setting.environment()]);
            for name in names {
                if let Some((_, value)) = variables.iter().find(|(found, _)| *found == name) {
                    values.insert(setting.key.to_owned(), Value::from(value.clone()));
                }
            }
        }
        let known = |name: &str| {
            name == FILE_VARIABLE
                || OF_CLIENTS.contains(&name)
                || SETTINGS.iter().any(|setting| setting.environment() == name)
                || OF_THE_TESTS.iter().any(|start| name.starts_with(start))
        };
        for (name, _) in variables {
            if name.starts_with("NODE0_") && !known(name) {
                faults.push(Fault { place: format!("{ENVIRONMENT} {name}"), what: unknown(name) });
            }
        }
        Layer { name: ENVIRONMENT.into(), values }
    }

    /// What the command line sets.
    pub fn flags(flags: &[(&'static str, String)]) -> Layer {
        let values =
            flags.iter().map(|(key, value)| ((*key).to_owned(), Value::from(value.clone())));
        Layer { name: FLAGS.into(), values: values.collect() }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> figment::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

fn unknown(name: &str) -> String {
    format!("there is no setting {name}; `node0 config show` lists them all")
}
