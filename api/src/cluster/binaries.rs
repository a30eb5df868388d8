//! Finds the PostgreSQL programs on this machine and their versions.
//!
//! Does not know what they are used for, nor which data they will work on.

use std::{
    collections::BTreeMap,
    env, fmt,
    path::{Path, PathBuf},
    process::Command,
};

use super::ClusterError;

/// The oldest major version of PostgreSQL that is supported.
pub const MAJOR_MIN: u32 = 15;
/// Where Debian's packages put each major version.
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";

/// One installed PostgreSQL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binaries {
    folder: PathBuf,
    major: u32,
}

impl Binaries {
    /// Every usable installation, best first: the folder asked for (then nothing else counts),
    /// those on the search path, then Debian's, newest first.
    pub fn find(asked_for: Option<&Path>) -> Result<Vec<Binaries>, ClusterError> {
        let mut rejected = BTreeMap::new();
        let found: Vec<Binaries> = candidates(asked_for)
            .into_iter()
            .filter_map(|folder| match inspect(&folder) {
                Ok(major) if major >= MAJOR_MIN => Some(Binaries { folder, major }),
                Ok(major) => {
                    rejected.insert(folder, format!("version {major}"));
                    None
                }
                Err(why) => {
                    rejected.insert(folder, why);
                    None
                }
            })
            .collect();
        if found.is_empty() { Err(missing(asked_for, &rejected)) } else { Ok(found) }
    }

    /// The installation that can run data made by `major`, or the best one when there is no data
    /// yet.
    pub fn for_data(
        found: Vec<Binaries>,
        data: &Path,
        major: Option<u32>,
    ) -> Result<Binaries, ClusterError> {
        let names = found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let fitting = found.into_iter().find(|one| major.is_none_or(|major| one.major == major));
        fitting.ok_or_else(|| ClusterError::Version {
            data: data.to_owned(),
            made_by: major.unwrap_or(MAJOR_MIN),
            found: names,
        })
    }

    /// The path of one program, e.g. `initdb`.
    pub fn program(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl fmt::Display for Binaries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgreSQL {} in {}", self.major, self.folder.display())
    }
}

fn candidates(asked_for: Option<&Path>) -> Vec<PathBuf> {
    if let Some(folder) = asked_for {
        return vec![folder.to_owned()];
    }
    let path = env::var_os("PATH").unwrap_or_default();
    // A link on the search path leads to the folder that holds the other programs too.
    let on_path = env::split_paths(&path)
        .filter_map(|folder| Some(folder.join("initdb").canonicalize().ok()?.parent()?.to_owned()));
    let mut debian: Vec<(u32, PathBuf)> = std::fs::read_dir(DEBIAN_ROOT)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let major = entry.file_name().to_str()?.parse().ok()?;
            Some((major, entry.path().join("bin")))
        })
        .collect();
    debian.sort_by(|one, other| other.cmp(one));
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in on_path.chain(debian.into_iter().map(|(_, folder)| folder)) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders
}

/// The major version of the programs in a folder, or why they cannot be used.
fn inspect(folder: &Path) -> Result<u32, String> {
    for name in ["initdb", "postgres"] {
        if !folder.join(name).exists() {
            return Err(format!("no `{name}`"));
        }
    }
    let output = Command::new(folder.join("postgres"))
        .arg("--version")
        .output()
        .map_err(|error| format!("`postgres --version` failed: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    parse_major(&said).ok_or_else(|| format!("`postgres --version` said {:?}", said.trim()))
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian ...)` and `postgres (PostgreSQL) 19devel`.
fn parse_major(said: &str) -> Option<u32> {
    let version = said.split("(PostgreSQL)").nth(1)?.trim_start();
    let digits: String = version.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn missing(asked_for: Option<&Path>, rejected: &BTreeMap<PathBuf, String>) -> ClusterError {
    let details = rejected.iter().map(|(folder, why)| format!("{}: {why}", folder.display()));
    let details = details.collect::<Vec<_>>().join("; ");
    let found = match (asked_for, details.is_empty()) {
        (Some(_), _) => format!("PG_BIN names {details}"),
        (None, true) => format!("looked on PATH and in {DEBIAN_ROOT}/*/bin"),
        (None, false) => details,
    };
    ClusterError::Missing { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_every_form_that_postgres_writes_them() {
        let cases = [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some(15)),
            ("postgres (PostgreSQL) 19devel\n", Some(19)),
            ("postgres (PostgreSQL) 18rc1\n", Some(18)),
            ("mysqld 8\n", None),
            ("", None),
        ];
        for (said, major) in cases {
            assert_eq!(parse_major(said), major, "{said:?}");
        }
    }

    #[test]
    fn a_folder_without_programs_is_refused_with_what_is_missing() {
        let folder = env::temp_dir();
        let error = Binaries::find(Some(&folder)).expect_err("no programs there").to_string();
        assert!(error.contains("PG_BIN names"), "{error}");
        assert!(error.contains("no `initdb`"), "{error}");
    }

    #[test]
    fn data_of_another_major_version_is_refused_by_name() {
        let found = vec![Binaries { folder: "/opt/pg/bin".into(), major: 16 }];
        let error =
            Binaries::for_data(found, Path::new("data"), Some(15)).expect_err("16 is not 15");
        let error = error.to_string();
        assert!(error.contains("made by PostgreSQL 15"), "{error}");
        assert!(error.contains("only PostgreSQL 16 in /opt/pg/bin"), "{error}");
    }
}
