//! What a number at the end means. The same for all commands; those with a meaning of their own, `run` and `doctor`, say so
//! in their manual pages.

use std::process::ExitCode;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It did what was asked for.
    Ok,
    /// It did not.
    Failed,
    /// It was asked for something that makes no sense.
    Usage,
    /// Nobody is there to ask.
    NoAgent,
    /// It may not.
    NoPermission,
}

impl Exit {
    /// All of them, by number.
    pub const ALL: [Self; 5] = [Self::Ok, Self::Failed, Self::Usage, Self::NoAgent, Self::NoPermission];

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NoAgent => 3,
            Self::NoPermission => 4,
        }
    }

    /// What users are told of it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Ok => "Success. A reader that goes away early, such as head(1), is no failure.",
            Self::Failed => "Something failed; the message on standard error tells what.",
            Self::Usage => "The command line is wrong, or an environment variable that stands for a flag.",
            Self::NoAgent => "There is no agent that could be asked.",
            Self::NoPermission => {
                "Privileges are missing; the message names them, and a command that would work."
            }
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
