//! Whom a command runs as: root's rights are resetmon's alone. That is the user who is named, else who called sudo, with
//! the groups and the environment that they have otherwise.

use std::{
    ffi::{CString, OsString},
    os::unix::ffi::OsStringExt as _,
};

use nix::unistd::{Gid, Uid, User, geteuid, getgrouplist};

/// What sudo leaves in the environment, and what nobody has without it.
pub(super) const OF_SUDO: [&str; 6] =
    ["SUDO_COMMAND", "SUDO_GID", "SUDO_HOME", "SUDO_TTY", "SUDO_UID", "SUDO_USER"];

/// A user to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) groups: Vec<Gid>,
    /// Variables of the environment that differ from user to user.
    pub(super) variables: Vec<(&'static str, OsString)>,
}

/// Why nobody can be told to become.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The user database has none.
    #[error("there is no user {0:?} on this host")]
    NoSuchUser(String),
    /// Sudo's variables are not what sudo writes.
    #[error("{name} is {value:?}, which is no number; name the user with --user")]
    NoNumber {
        /// Name of the variable.
        name: &'static str,
        /// What it has.
        value: OsString,
    },
    /// Somebody else's name, without the right to take it.
    #[error("running a command as {0:?} needs CAP_SETUID and CAP_SETGID, which this process does not have")]
    NotPermitted(String),
    /// The user database cannot be read.
    #[error("cannot look up the user {name:?}")]
    LookUp {
        /// Whom.
        name: String,
        /// The system's answer.
        source: nix::Error,
    },
}

impl UserError {
    /// Whether more privileges would help.
    pub fn is_permission(&self) -> bool {
        matches!(self, Self::NotPermitted(_))
    }
}

impl Identity {
    /// The user that was asked for, else who called sudo; `None` when the command runs as whoever runs this.
    pub fn find(
        asked: Option<&str>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Option<Self>, UserError> {
        match asked {
            Some(name) => Self::named(name),
            None if geteuid().is_root() => Self::who_called_sudo(variable),
            None => Ok(None),
        }
    }

    fn named(name: &str) -> Result<Option<Self>, UserError> {
        let failed = |source| UserError::LookUp { name: name.to_owned(), source };
        let mut user = User::from_name(name).map_err(failed)?;
        if user.is_none()
            && let Ok(number) = name.parse()
        {
            user = User::from_uid(Uid::from_raw(number)).map_err(failed)?;
        }
        let user = user.ok_or_else(|| UserError::NoSuchUser(name.to_owned()))?;
        if geteuid().is_root() {
            Self::of(&user, user.gid).map(Some)
        } else if geteuid() == user.uid {
            Ok(None)
        } else {
            Err(UserError::NotPermitted(name.to_owned()))
        }
    }

    fn who_called_sudo(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<Self>, UserError> {
        let number = |name: &'static str| {
            let Some(value) = variable(name) else { return Ok(None) };
            match value.to_str().and_then(|text| text.parse::<u32>().ok()) {
                Some(number) => Ok(Some(number)),
                None => Err(UserError::NoNumber { name, value }),
            }
        };
        let Some(uid) = number("SUDO_UID")?.filter(|uid| *uid != 0).map(Uid::from_raw) else {
            return Ok(None);
        };
        let gid = number("SUDO_GID")?.map(Gid::from_raw);
        let user =
            User::from_uid(uid).map_err(|source| UserError::LookUp { name: uid.to_string(), source })?;
        let mut identity = match (user, gid) {
            (Some(user), gid) => Self::of(&user, gid.unwrap_or(user.gid))?,
            // Sudo knew the user from elsewhere.
            (None, Some(gid)) => Self { uid, gid, groups: vec![gid], variables: Vec::new() },
            (None, None) => return Err(UserError::NoSuchUser(uid.to_string())),
        };
        if let Some(home) = variable("SUDO_HOME") {
            identity.variables.retain(|(name, _)| *name != "HOME");
            identity.variables.push(("HOME", home));
        }
        Ok(Some(identity))
    }

    fn of(user: &User, gid: Gid) -> Result<Self, UserError> {
        let name = CString::new(user.name.as_str()).unwrap_or_default();
        let groups = getgrouplist(&name, gid)
            .map_err(|source| UserError::LookUp { name: user.name.clone(), source })?;
        let shell = user.shell.clone().into_os_string();
        let shell = if shell.is_empty() { OsString::from_vec(b"/bin/sh".to_vec()) } else { shell };
        let variables = vec![
            ("HOME", user.dir.clone().into_os_string()),
            ("USER", user.name.clone().into()),
            ("LOGNAME", user.name.clone().into()),
            ("SHELL", shell),
        ];
        Ok(Self { uid: user.uid, gid, groups, variables })
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use nix::unistd::{User, geteuid};

    use super::{Identity, UserError};

    fn sudo(variables: &[(&str, &str)]) -> Result<Option<Identity>, UserError> {
        let value =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        Identity::who_called_sudo(value)
    }

    fn variable(identity: &Identity, name: &str) -> Option<OsString> {
        identity.variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
    }

    #[test]
    fn who_called_sudo_is_known_by_number() {
        let nobody = User::from_name("nobody").expect("a user database").expect("nobody");
        let uid = nobody.uid.to_string();
        let identity = sudo(&[("SUDO_UID", &uid), ("SUDO_GID", "12345")]).expect("a user").expect("another");
        assert_eq!((identity.uid, identity.gid.as_raw()), (nobody.uid, 12345));
        assert!(identity.groups.contains(&identity.gid), "{identity:?}");
        assert_eq!(variable(&identity, "USER").as_deref(), Some("nobody".as_ref()));
        assert_eq!(variable(&identity, "HOME"), Some(nobody.dir.clone().into_os_string()));
        let moved =
            sudo(&[("SUDO_UID", &uid), ("SUDO_HOME", "/elsewhere")]).expect("a user").expect("another");
        assert_eq!(moved.gid, nobody.gid);
        assert_eq!(variable(&moved, "HOME").as_deref(), Some("/elsewhere".as_ref()));
    }

    #[test]
    fn a_user_without_an_entry_has_one_group() {
        let identity =
            sudo(&[("SUDO_UID", "3999999999"), ("SUDO_GID", "7")]).expect("a user").expect("another");
        assert_eq!((identity.uid.as_raw(), identity.gid.as_raw()), (3_999_999_999, 7));
        assert_eq!(identity.groups, [identity.gid]);
        assert!(matches!(sudo(&[("SUDO_UID", "3999999999")]), Err(UserError::NoSuchUser(_))));
    }

    #[test]
    fn root_stays_root_and_nonsense_does_not() {
        assert!(matches!(sudo(&[]), Ok(None)));
        assert!(matches!(sudo(&[("SUDO_UID", "0"), ("SUDO_GID", "0")]), Ok(None)));
        for nonsense in ["", "-1", "root", "1000 "] {
            let error = sudo(&[("SUDO_UID", nonsense)]).expect_err(nonsense).to_string();
            assert!(error.starts_with("SUDO_UID is "), "{error}");
        }
    }

    #[test]
    fn a_user_is_asked_for_by_name_or_number() {
        let none = |_: &str| None;
        let own = geteuid();
        for text in [own.to_string(), User::from_uid(own).expect("users").expect("an entry").name] {
            let found = Identity::find(Some(&text), none).expect("a user");
            assert!(found.is_none_or(|identity| identity.uid == own), "{text}");
        }
        let error = Identity::find(Some("no-such-user"), none).expect_err("nobody").to_string();
        assert_eq!(error, "there is no user \"no-such-user\" on this host");
    }
}
