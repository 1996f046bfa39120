//! What a control group is for: the unit, container or session that runs in it.

use std::{fmt, sync::Arc};

/// What runs in a control group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Workload {
    /// What manages it.
    pub kind: WorkloadKind,
    /// Its name: the unit's, unescaped, or what the container's runtime tells by the path; `None` when there is no name.
    pub name: Option<Arc<str>>,
    /// Id of the container.
    pub container_id: Option<Arc<str>>,
    /// Uid of the Kubernetes pod.
    pub pod_uid: Option<Arc<str>>,
}

/// Id of a control group in the unified hierarchy: the inode number of its directory there. Not used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CgroupId(pub u64);

impl Workload {
    /// Its name in short: of a container without a name the first digits of its id, as its runtime shows them.
    pub fn short_name(&self) -> Option<&str> {
        let id = || self.container_id.as_deref().map(|id| id.get(..12).unwrap_or(id));
        self.name.as_deref().or_else(id).or(self.pod_uid.as_deref())
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.as_str())?;
        self.short_name().map_or(Ok(()), |name| write!(f, "/{name}"))
    }
}

/// What manages a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum WorkloadKind {
    /// A unit of the system's systemd.
    Systemd,
    /// A session or unit of a user.
    User,
    /// A container of Docker.
    Docker,
    /// A container of containerd.
    Containerd,
    /// A container of CRI-O.
    Crio,
    /// A container of Podman.
    Podman,
    /// A pod of Kubernetes.
    Kubernetes,
    /// A container of LXC.
    Lxc,
    /// A container of a runtime that the path does not name.
    Container,
    /// The host itself.
    Host,
}

impl WorkloadKind {
    /// Every kind, in the order of the variants.
    pub const ALL: [Self; 10] = [
        Self::Systemd,
        Self::User,
        Self::Docker,
        Self::Containerd,
        Self::Crio,
        Self::Podman,
        Self::Kubernetes,
        Self::Lxc,
        Self::Container,
        Self::Host,
    ];

    /// As users write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Systemd => "systemd",
            Self::User => "user",
            Self::Docker => "docker",
            Self::Containerd => "containerd",
            Self::Crio => "crio",
            Self::Podman => "podman",
            Self::Kubernetes => "kubernetes",
            Self::Lxc => "lxc",
            Self::Container => "container",
            Self::Host => "host",
        }
    }
}
