//! The agent's socket: HTTP/1.1 over a unix socket, for the other commands and for whoever has curl. Who may open the socket
//! may ask; the file's mode and group decide. Lacks what is asked: that is in `routes`.

pub mod routes;

use std::{
    fs::{self, Permissions},
    io,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _, chown},
        net,
    },
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use nix::unistd::Group;
use tokio::{
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};

use crate::notice::{Chain, tell};

/// Where it is unless somebody wants it elsewhere.
pub const DEFAULT_PATH: &str = "/run/resetmon/resetmon.sock";

/// Whose members may ask, beside root.
const GROUP: &str = "resetmon";

/// Connections at once; who comes then waits.
const MOST_CONNECTIONS: usize = 640;

/// Time that a client may take to ask.
const ASKING: Duration = Duration::from_secs(10);

/// Time between two tries to listen.
const RETRY: Duration = Duration::from_secs(1);

/// Why the socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Another process answers there.
    #[error("another agent listens on {}", .path.display())]
    Taken {
        /// Where.
        path: PathBuf,
    },
    /// Something that is not a socket has the name.
    #[error("{} is there and not a socket", .path.display())]
    NoSocket {
        /// Where.
        path: PathBuf,
    },
    /// The file cannot be made.
    #[error("cannot {operation} {}", .path.display())]
    File {
        /// What was tried.
        operation: &'static str,
        /// Of which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// Serves at `path` for as long as it is polled, by the socket that the first try gave. Where that gave none it says so once,
/// and tries again.
pub async fn serve(path: &Path, first: Result<Socket, SocketError>, router: Router) {
    let mut told = None;
    let mut bound = first;
    let socket = loop {
        match bound {
            Ok(socket) => break socket,
            Err(error) => {
                let message = Chain(&error).to_string();
                if told.as_ref() != Some(&message) {
                    tell(format_args!(
                        "{message}; capturing goes on, other commands find no agent, and this is tried again every {} s \
                         (--socket names another place)",
                        RETRY.as_secs()
                    ));
                    told = Some(message);
                }
                tokio::time::sleep(RETRY).await;
            }
        }
        bound = Socket::bind(path);
    };
    tell(format_args!("other commands find the agent at {}", path.display()));
    if let Err(error) = socket.accept(router).await {
        tell(format_args!("cannot serve {}: {error}", path.display()));
    }
}

/// A socket that is listened on; its file goes with it.
#[derive(Debug)]
pub struct Socket {
    listener: net::UnixListener,
    path: PathBuf,
    /// Device and inode of the file, for the name may have become another's.
    file: (u64, u64),
}

impl Socket {
    /// Listens; nobody but who may can connect at any time. To give it to a group may take a capability.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let failed = |operation: &'static str, path: &Path| {
            let path = path.to_owned();
            move |source| SocketError::File { operation, path, source }
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed("make the folder", folder))?;
        }
        make_way(path)?;
        // Under a name that nobody knows until mode and group are right, then under its own.
        let draft = path.with_extension(format!("{}.new", std::process::id()));
        let _ = fs::remove_file(&draft);
        let listener = net::UnixListener::bind(&draft).map_err(failed("make the socket", &draft))?;
        let given = give(&draft).and_then(|()| fs::metadata(&draft)).and_then(|metadata| {
            fs::rename(&draft, path)?;
            Ok((metadata.dev(), metadata.ino()))
        });
        let file = given.inspect_err(|_| drop(fs::remove_file(&draft))).map_err(failed("set up", path))?;
        Ok(Self { listener, path: path.to_owned(), file })
    }

    /// Attends to clients for as long as it is polled; needs a runtime.
    async fn accept(&self, router: Router) -> io::Result<()> {
        self.listener.set_nonblocking(true)?;
        let listener = UnixListener::from_std(self.listener.try_clone()?)?;
        let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
        let mut told = false;
        loop {
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return Ok(()) };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let router = router.clone();
                    tokio::spawn(async move {
                        attend(stream, router).await;
                        drop(permit);
                    });
                }
                Err(error) => {
                    // Of descriptors there may be enough again in a moment.
                    if !std::mem::replace(&mut told, true) {
                        tell(format_args!("cannot take a connection on {}: {error}", self.path.display()));
                    }
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// One client, until it goes. What goes wrong is the client's affair.
async fn attend(stream: UnixStream, router: Router) {
    let service = TowerToHyperService::new(router);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(ASKING);
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

/// Removes what an agent that is gone has left.
fn make_way(path: &Path) -> Result<(), SocketError> {
    let Ok(found) = fs::symlink_metadata(path) else { return Ok(()) };
    if !found.file_type().is_socket() {
        return Err(SocketError::NoSocket { path: path.to_owned() });
    }
    match net::UnixStream::connect(path) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => fs::remove_file(path)
            .map_err(|source| SocketError::File { operation: "remove", path: path.to_owned(), source }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Whether it answers or is too busy to: somebody listens.
        Ok(_) | Err(_) => Err(SocketError::Taken { path: path.to_owned() }),
    }
}

/// For root and the members of a group, where there is one of that name.
fn give(path: &Path) -> io::Result<()> {
    if let Ok(Some(group)) = Group::from_name(GROUP) {
        // An agent that is no member itself cannot give it to the group.
        let _ = chown(path, None, Some(group.gid.as_raw()));
    }
    fs::set_permissions(path, Permissions::from_mode(0o660))
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    use super::{Socket, SocketError};

    #[test]
    fn the_file_comes_and_goes_with_the_agent() {
        let folder = std::env::temp_dir().join(format!("resetmon-socket-{}", std::process::id()));
        let path = folder.join("deep/resetmon.sock");
        let socket = Socket::bind(&path).expect("a socket");
        assert_eq!(fs::metadata(&path).expect("a file").permissions().mode() & 0o777, 0o660);
        assert_eq!(fs::read_dir(folder.join("deep")).expect("a folder").count(), 1);
        assert!(matches!(Socket::bind(&path), Err(SocketError::Taken { .. })));

        // An agent that was killed leaves its file behind.
        let Socket { listener, .. } = &socket;
        let stale = folder.join("stale.sock");
        fs::rename(&path, &stale).expect("another name");
        assert!(listener.local_addr().is_ok());
        drop(socket);
        assert!(stale.exists(), "a file of another name is not its own");
        let next = Socket::bind(&stale).expect("the place of one that is gone");
        drop(next);
        assert!(!stale.exists());

        fs::write(&stale, "").expect("a file");
        assert!(matches!(Socket::bind(&stale), Err(SocketError::NoSocket { .. })));
        fs::remove_dir_all(folder).expect("it can go");
    }
}
