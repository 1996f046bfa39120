//! What the user is told besides data: one line each on standard error.

use std::{error::Error, fmt, io::Write as _};

/// Tells the user something. Nobody is left to be told when standard error is closed.
pub fn tell(message: impl fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "resetmon: {message}");
}

/// An error with all its causes, on one line.
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}
