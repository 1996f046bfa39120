//! Path of a control group → what runs in it. Everything comes from the path: no runtime, no API server and no bus is
//! asked. Pure; where a path comes from is for `cgroups` to know.

use std::borrow::Cow;

use crate::model::workload::{Workload, WorkloadKind};

/// Hexadecimal digits of a container's id.
const ID_LENGTH: usize = 64;

/// How one component of a path names a container.
enum Form {
    /// These letters, then the id; `.scope` may follow.
    Id(&'static str),
    /// The id alone, below a component of this name.
    IdBelow(&'static str),
    /// The id alone.
    AnyId,
    /// A name between these letters.
    Name(&'static str, &'static str),
    /// A name, below a component of this name.
    NameBelow(&'static str),
}

/// Forms of components that name containers; the first that fits a component counts, and `Host` says that it is none.
const FORMS: [(Form, WorkloadKind); 16] = [
    (Form::Id("cri-containerd-"), WorkloadKind::Containerd),
    (Form::Id("nerdctl-"), WorkloadKind::Containerd),
    (Form::Id("crio-"), WorkloadKind::Crio),
    (Form::Id("docker-"), WorkloadKind::Docker),
    (Form::Id("libpod-"), WorkloadKind::Podman),
    // With systemd in the container.
    (Form::Id("libpod-payload-"), WorkloadKind::Podman),
    (Form::IdBelow("docker"), WorkloadKind::Docker),
    // containerd's namespace for the kubelet, where it was not told of the pod's group.
    (Form::IdBelow("k8s.io"), WorkloadKind::Kubernetes),
    (Form::AnyId, WorkloadKind::Container),
    (Form::Name("lxc.payload.", ""), WorkloadKind::Lxc),
    (Form::NameBelow("lxc.payload"), WorkloadKind::Lxc),
    (Form::NameBelow("lxc"), WorkloadKind::Lxc),
    (Form::Name("systemd-nspawn@", ".service"), WorkloadKind::Container),
    // A virtual machine's sockets are those of its emulator, which is a unit like others.
    (Form::Name("machine-qemu", ".scope"), WorkloadKind::Host),
    (Form::Name("machine-", ".scope"), WorkloadKind::Container),
    // Services of Talos that run beside the pods.
    (Form::NameBelow("podruntime"), WorkloadKind::Container),
];

/// Suffix of the units that hold other units.
const SLICE: &str = ".slice";
/// Suffixes of units that processes run in.
const UNITS: [&str; 5] = [".service", ".scope", ".socket", ".mount", ".swap"];

/// How much a control group tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Detail {
    /// Nothing: it is the root.
    Root,
    /// No more than the host does: nothing that is known, or what starts everything.
    Host,
    /// A unit or session.
    Unit,
    /// A container.
    Container,
}

impl Detail {
    /// How much a path tells, with what runs there.
    pub fn of(path: &str, workload: &Workload) -> Self {
        let starts_everything = |name: &str| name == "init.scope" || name.ends_with(SLICE);
        match workload.kind {
            WorkloadKind::Host if path == "/" => Self::Root,
            WorkloadKind::Host => Self::Host,
            WorkloadKind::Systemd if workload.name.as_deref().is_none_or(starts_everything) => Self::Host,
            WorkloadKind::Systemd | WorkloadKind::User => Self::Unit,
            _ => Self::Container,
        }
    }
}

/// What runs in the control group at `path`.
pub fn workload(path: &str) -> Workload {
    let components: Vec<&str> = path.split('/').filter(|name| !matches!(*name, "" | "." | "..")).collect();
    container(&components).or_else(|| unit(&components)).unwrap_or(Workload {
        kind: WorkloadKind::Host,
        name: None,
        container_id: None,
        pod_uid: None,
    })
}

/// A path from its root. In a cgroup namespace the kernel shows what is outside as `/../…`, and what is gone with a
/// remark.
pub fn rooted(path: &str) -> &str {
    let mut path = path.strip_suffix(" (deleted)").unwrap_or(path);
    while let Some(rest) = path.strip_prefix("/..")
        && (rest.is_empty() || rest.starts_with('/'))
    {
        path = rest;
    }
    if path.is_empty() { "/" } else { path }
}

/// The path in a `/proc/PID/cgroup` that tells most: of equals that in the unified hierarchy, else that of the first
/// controller which container runtimes use.
pub fn path_of_process(text: &str) -> Option<&str> {
    const ORDER: [&str; 5] = ["", "cpu", "memory", "pids", "name=systemd"];
    let lines = || text.lines().filter_map(|line| line.split_once(':')?.1.split_once(':'));
    let path_in = |wanted| lines().find(|(controllers, _)| controllers.split(',').any(|name| name == wanted));
    let paths = ORDER.iter().filter_map(|wanted| path_in(*wanted)).map(|(_, path)| rooted(path));
    // Of several greatest the last counts.
    paths.rev().max_by_key(|path| Detail::of(path, &workload(path)))
}

/// A name as systemd writes it, with `\x2d` and the like made characters.
pub fn unescape(name: &str) -> Cow<'_, str> {
    if !name.contains("\\x") {
        return name.into();
    }
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = after.strip_prefix(b"x").and_then(|digits| digits.split_first_chunk::<2>());
        match escaped.and_then(|(digits, after)| Some((hexadecimal(*digits)?, after))) {
            Some((byte, after)) if *first == b'\\' => {
                bytes.push(byte);
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned().into()
}

fn hexadecimal([high, low]: [u8; 2]) -> Option<u8> {
    let digit = |character: u8| char::from(character).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// The innermost container on the path. A pod's container is the one right below the pod: what that starts itself is
/// part of it.
fn container(components: &[&str]) -> Option<Workload> {
    let mut found: Option<Workload> = None;
    let mut above = "";
    for component in components {
        let (before, name) = split_colons(component);
        if let Some(pod_uid) = pod_uid(before) {
            let kind = WorkloadKind::Kubernetes;
            found = Some(Workload { kind, name: None, container_id: None, pod_uid: Some(pod_uid.into()) });
        }
        if let Some(container) = form(above, &name) {
            found = match found.take() {
                Some(pod) if pod.pod_uid.is_some() => {
                    Some(Workload { container_id: pod.container_id.or(container.container_id), ..pod })
                }
                _ => Some(container),
            };
        }
        above = component;
    }
    found
}

/// `SLICE:PREFIX:ID`, systemd's form written by a runtime that does not use systemd, is `SLICE` and `PREFIX-ID`.
fn split_colons(component: &str) -> (&str, Cow<'_, str>) {
    let mut parts = component.rsplitn(3, ':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(id), Some(prefix), Some(slice)) => (slice, format!("{prefix}-{id}").into()),
        _ => (component, component.into()),
    }
}

fn form(above: &str, name: &str) -> Option<Workload> {
    let found = FORMS.iter().find_map(|(form, kind)| Some((form.read(above, name)?, *kind)));
    let (read, kind) = found.filter(|(_, kind)| *kind != WorkloadKind::Host)?;
    let none = Workload { kind, name: None, container_id: None, pod_uid: None };
    Some(match read {
        Read::Id(id) => Workload { container_id: Some(id.into()), ..none },
        Read::Name(name) => Workload { name: bounded_name(name), ..none },
    })
}

enum Read<'a> {
    Id(&'a str),
    Name(&'a str),
}

impl Form {
    /// What a component tells if it has this form.
    fn read<'a>(&self, above: &str, component: &'a str) -> Option<Read<'a>> {
        let id = |text: &'a str| is_id(text).then_some(Read::Id(text));
        let name = |text: &'a str| (!text.is_empty()).then_some(Read::Name(text));
        match *self {
            Self::Id(before) => {
                id(component.strip_prefix(before)?).or_else(|| id(strip_both(component, before, ".scope")?))
            }
            Self::IdBelow(parent) => (above == parent).then(|| id(component)).flatten(),
            Self::AnyId => id(component),
            Self::Name(before, after) => name(strip_both(component, before, after)?),
            Self::NameBelow(parent) => (above == parent).then(|| name(component)).flatten(),
        }
    }
}

fn strip_both<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    text.strip_prefix(before)?.strip_suffix(after)
}

/// 64 hexadecimal digits; on AWS Fargate 32, a dash and a number.
fn is_id(text: &str) -> bool {
    let is_hexadecimal = |text: &str, length| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let on_fargate = || text.split_once('-').filter(|(task, _)| is_hexadecimal(task, ID_LENGTH / 2));
    is_hexadecimal(text, ID_LENGTH)
        || on_fargate()
            .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The uid in `podUID` or `…kubepods…-podUID.slice`, where systemd's form has `_` for `-`. The uid of a static pod is a
/// hash without dashes.
fn pod_uid(component: &str) -> Option<String> {
    let slice = component.strip_suffix(SLICE);
    let (before, uid) = slice.unwrap_or(component).rsplit_once("pod")?;
    let fits = if slice.is_some() { before.contains("kubepods") } else { before.is_empty() };
    let uid = uid.replace('_', "-");
    let groups: Vec<usize> = uid.split('-').map(str::len).collect();
    let is_uid = matches!(groups[..], [32] | [8, 4, 4, 4, 12])
        && uid.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    (fits && is_uid).then_some(uid)
}

/// The unit that systemd has made the group for: the outermost, or for a user's own manager the outermost below it.
fn unit(components: &[&str]) -> Option<Workload> {
    let is_unit = |name: &&&str| UNITS.iter().any(|suffix| name.ends_with(suffix));
    let is_slice = |name: &&&str| name.ends_with(SLICE);
    let mut below = components.iter();
    let slices: Vec<&&str> = below.clone().take_while(is_slice).collect();
    let kind =
        if slices.first() == Some(&&"user.slice") { WorkloadKind::User } else { WorkloadKind::Systemd };
    let mut name = below.nth(slices.len()).filter(is_unit);
    if name.is_some_and(|name| name.starts_with("user@")) {
        let of_user = below.find(|name| !is_slice(name)).filter(is_unit);
        name = of_user.filter(|name| **name != "init.scope").or(name);
    }
    let name = name.or_else(|| slices.last().copied())?;
    // An underscore in front keeps a unit's name apart from the files of the hierarchy.
    let name = bounded_name(name.strip_prefix('_').unwrap_or(name));
    Some(Workload { kind, name, container_id: None, pod_uid: None })
}

/// A name for people; what has a container's id in it is none.
fn bounded_name(name: &str) -> Option<std::sync::Arc<str>> {
    let mut runs = name.split(|character: char| !character.is_ascii_hexdigit());
    let has_id = runs.any(|run| run.len() >= ID_LENGTH);
    (!has_id).then(|| unescape(name).into())
}

#[cfg(test)]
mod tests;
