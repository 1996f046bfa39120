//! The corpus: every cause, made for real, with what resetmon has to say of it. Tests judge each of its variants here.

use std::{env, fs::OpenOptions, io::Write as _};

use serde_json::{Value, json};

use crate::past;

/// The file that variants are written to, a line each, when there is to be a record of them.
const CORPUS: &str = "RESETMON_CORPUS";

/// One way to come by a cause has given this event: it must have that cause and confidence. Variants are named
/// `cause/how`, each name once. A record has what the diagnosis knew as well: `tests/replay` makes it again.
#[track_caller]
pub fn judge(variant: &str, event: &Value, cause: &str, confidence: &str) {
    if let Some(path) = env::var_os(CORPUS) {
        let line = json!({
            "variant": variant,
            "wanted": {"cause": cause, "confidence": confidence},
            "past": past::of(event),
            "event": past::neutral(event),
        });
        // One write a line: tests run at the same time.
        let file = OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(format!("{line}\n").as_bytes()));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
    let given = (event["cause"].as_str(), event["confidence"].as_str());
    assert_eq!(given, (Some(cause), Some(confidence)), "{variant}: {event}");
}
