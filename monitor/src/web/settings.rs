//! The web configuration that is valid now. It is read again whenever somebody connects or asks, so that a new
//! certificate needs no restart; one that is broken changes nothing, and is told once.

use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use super::config::{self, WebConfig, WebConfigError};
use crate::notice::{Chain, tell};

/// No configuration and no certificate is larger.
const MOST_BYTES: u64 = 1 << 20;

/// A web configuration and the file that it comes from.
#[derive(Debug)]
pub struct Settings(Mutex<State>);

#[derive(Debug)]
struct State {
    path: Option<PathBuf>,
    valid: Arc<WebConfig>,
    /// All that was read at the last try, whatever came of it.
    seen: Vec<Seen>,
}

/// A file as it was.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    path: PathBuf,
    content: Result<Vec<u8>, io::ErrorKind>,
}

impl Settings {
    /// The configuration in this file; without one nothing is protected.
    pub fn load(path: Option<PathBuf>) -> Result<Self, WebConfigError> {
        State::load(path).map(Mutex::new).map(Self)
    }

    /// From now on the configuration is in this file, unless that is wrong.
    pub fn move_to(&self, path: Option<PathBuf>) -> Result<(), WebConfigError> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.path != path {
            *state = State::load(path)?;
        }
        Ok(())
    }

    /// The configuration as it is now.
    pub fn current(&self) -> Arc<WebConfig> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_unchanged = |seen: &Seen| content(&seen.path).map_err(|error| error.kind()) == seen.content;
        let Some(path) = state.path.clone().filter(|_| !state.seen.iter().all(is_unchanged)) else {
            return Arc::clone(&state.valid);
        };
        let (parsed, seen) = load(&path);
        state.seen = seen;
        match parsed {
            Ok(config) => {
                state.valid = Arc::new(config);
                tell(format_args!("{} has changed and is used as it is now", path.display()));
            }
            Err(error) => tell(format_args!("{}; what was valid before stays so", Chain(&error))),
        }
        Arc::clone(&state.valid)
    }
}

impl State {
    fn load(path: Option<PathBuf>) -> Result<Self, WebConfigError> {
        let (valid, seen) = match &path {
            Some(path) => {
                let (parsed, seen) = load(path);
                (parsed?, seen)
            }
            None => (WebConfig::default(), Vec::new()),
        };
        Ok(Self { path, valid: Arc::new(valid), seen })
    }
}

fn load(path: &Path) -> (Result<WebConfig, WebConfigError>, Vec<Seen>) {
    let mut seen = Vec::new();
    let parsed = config::parse(path, |path| {
        let content = content(path);
        let kept = content.as_ref().map(Clone::clone).map_err(io::Error::kind);
        seen.push(Seen { path: path.to_owned(), content: kept });
        content
    });
    (parsed, seen)
}

fn content(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn changes_are_taken_over_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("web.yml");
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
        let frame = |value: &str| format!("http_server_config:\n  headers:\n    X-Frame-Options: {value}\n");
        write("web.yml", &frame("deny"));
        let settings = Settings::load(Some(path.clone())).expect("a configuration");
        let current = || settings.current().headers["x-frame-options"].to_str().expect("text").to_owned();
        assert_eq!(current(), "deny");
        write("web.yml", &frame("sameorigin"));
        assert_eq!(current(), "sameorigin");
        write("web.yml", &frame("maybe"));
        assert_eq!(current(), "sameorigin");
        fs::remove_file(&path).expect("removed");
        assert_eq!(current(), "sameorigin");
        write("web.yml", &frame("deny"));
        assert_eq!(current(), "deny");

        // A certificate that is to come is waited for.
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        let tls = "tls_server_config:\n  cert_file: cert.pem\n  key_file: key.pem\n";
        write("web.yml", tls);
        write("key.pem", &made.signing_key.serialize_pem());
        assert!(settings.current().tls.is_none());
        write("cert.pem", &made.cert.pem());
        let first = settings.current();
        assert!(first.tls.is_some());
        assert!(Arc::ptr_eq(&first, &settings.current()), "what has not changed is not made again");
        write("cert.pem", &format!("{}\n", made.cert.pem()));
        assert!(!Arc::ptr_eq(&first, &settings.current()));
    }

    #[test]
    fn the_first_one_must_be_right() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Settings::load(Some(folder.path().join("web.yml"))).expect_err("no file");
        assert!(matches!(error, WebConfigError::Read { .. }), "{error}");
        assert!(Settings::load(None).expect("no file is needed").current().tls.is_none());
    }

    #[test]
    fn a_file_has_its_limit() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("large");
        fs::write(&path, vec![b'#'; 1 << 21]).expect("written");
        assert_eq!(content(&path).expect_err("too large").kind(), io::ErrorKind::FileTooLarge);
    }
}
