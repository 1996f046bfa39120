//! The section `basic_auth_users`: who may ask, by name and bcrypt hash of the password. bcrypt is slow on purpose, so what
//! has been found right is remembered, what is wrong is not, and few are tried at a time.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use axum::http::HeaderValue;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bcrypt::{BcryptError, HashParts};
use ring::{hmac, rand::SystemRandom};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// Passwords that are tried at a time.
const TRIES_AT_A_TIME: usize = 2;
/// Nobody's password is longer, and bcrypt looks at 72 bytes.
const LONGEST_HEADER: usize = 4096;

/// Why a user cannot be recognised.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// The password is not a hash.
    #[error("the password of {user} is no bcrypt hash (htpasswd -nBC 10 {user} makes one)")]
    Hash {
        /// The user.
        user: String,
        /// What is wrong with it.
        source: BcryptError,
    },
    /// A name that cannot be sent.
    #[error("the user name {user:?} is empty or has a colon in it")]
    Name {
        /// The name.
        user: String,
    },
    /// There is no randomness.
    #[error("the system gives no random numbers")]
    Random,
}

/// Those who may ask.
pub struct Users {
    hashes: BTreeMap<String, String>,
    /// What an unknown user's password is compared with, so that it takes as long as a known one's.
    decoy: Option<String>,
    key: hmac::Key,
    /// By user, the tag of the password that was right the last time.
    right: Mutex<HashMap<String, hmac::Tag>>,
    turns: Semaphore,
}

impl Users {
    /// These users, with the hashes of their passwords.
    pub(super) fn new(hashes: BTreeMap<String, String>) -> Result<Self, UserError> {
        let mut slowest: Option<(u32, &String)> = None;
        for (user, hash) in &hashes {
            if user.is_empty() || user.contains(':') {
                return Err(UserError::Name { user: user.clone() });
            }
            let parts: Result<HashParts, _> = hash.parse();
            let cost = parts.map_err(|source| UserError::Hash { user: user.clone(), source })?.get_cost();
            slowest = slowest.max(Some((cost, hash)));
        }
        let decoy = slowest.map(|(_, hash)| hash.clone());
        let key =
            hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new()).map_err(|_| UserError::Random)?;
        Ok(Self { hashes, decoy, key, right: Mutex::default(), turns: Semaphore::new(TRIES_AT_A_TIME) })
    }

    /// Whether somebody who sends this `Authorization` may ask.
    pub async fn admit(self: &Arc<Self>, authorization: Option<&HeaderValue>) -> bool {
        if self.hashes.is_empty() {
            return true;
        }
        let Some((user, password)) = authorization.and_then(credentials) else { return false };
        if self.is_remembered(&user, &password) {
            return true;
        }
        let Ok(_turn) = self.turns.acquire().await else { return false };
        let users = Arc::clone(self);
        spawn_blocking(move || users.try_password(user, &password)).await.unwrap_or(false)
    }

    fn is_remembered(&self, user: &str, password: &[u8]) -> bool {
        let right = self.right.lock().unwrap_or_else(PoisonError::into_inner);
        right.get(user).is_some_and(|tag| hmac::verify(&self.key, password, tag.as_ref()).is_ok())
    }

    fn try_password(&self, user: String, password: &[u8]) -> bool {
        let known = self.hashes.get(&user);
        let Some(hash) = known.or(self.decoy.as_ref()) else { return false };
        let is_right = bcrypt::verify(password, hash).unwrap_or(false) && known.is_some();
        if is_right {
            let tag = hmac::sign(&self.key, password);
            self.right.lock().unwrap_or_else(PoisonError::into_inner).insert(user, tag);
        }
        is_right
    }
}

impl Default for Users {
    /// Nobody is named.
    fn default() -> Self {
        // There is nothing to keep secret when there are no passwords.
        let key = hmac::Key::new(hmac::HMAC_SHA256, &[]);
        let (hashes, right) = (BTreeMap::new(), Mutex::default());
        Self { hashes, decoy: None, key, right, turns: Semaphore::new(TRIES_AT_A_TIME) }
    }
}

impl fmt::Debug for Users {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.hashes.keys()).finish()
    }
}

/// User and password of a header of RFC 7617.
fn credentials(authorization: &HeaderValue) -> Option<(String, Vec<u8>)> {
    let (scheme, encoded) = authorization.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") || encoded.len() > LONGEST_HEADER {
        return None;
    }
    let decoded = STANDARD.decode(encoded.trim()).ok()?;
    let colon = decoded.iter().position(|byte| *byte == b':')?;
    let user = String::from_utf8(decoded[..colon].to_vec()).ok()?;
    Some((user, decoded[colon + 1..].to_vec()))
}
