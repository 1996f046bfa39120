//! Which process listens on a port: through the inode of the socket in `/proc/net/tcp`, and the descriptors of processes.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    path::Path,
};

use super::namespaces;

/// The state LISTEN in `/proc/net/tcp`.
const LISTEN: &str = "0A";

/// Process id and name of whoever listens on `address`, in this network namespace; `None` where that cannot be told.
pub(super) fn holder(address: SocketAddr, procfs: &Path) -> Option<(u32, String)> {
    let inode = ["tcp", "tcp6"].into_iter().find_map(|table| {
        let text = fs::read_to_string(procfs.join("self/net").join(table)).ok()?;
        listener(&text, address)
    })?;
    let socket = format!("socket:[{inode}]");
    let process = namespaces::processes(procfs).find(|process| {
        let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().filter_map(Result::ok);
        descriptors.into_iter().any(|entry| {
            fs::read_link(entry.path()).is_ok_and(|target| target.as_os_str() == socket.as_str())
        })
    })?;
    let pid = process.file_name()?.to_str()?.parse().ok()?;
    let comm = fs::read_to_string(process.join("comm")).unwrap_or_default();
    Some((pid, comm.trim_end().to_owned()))
}

/// Inode of the socket that listens on `address`, or on every address with its port.
fn listener(table: &str, address: SocketAddr) -> Option<u64> {
    table.lines().skip(1).find_map(|line| {
        let mut words = line.split_whitespace().skip(1);
        let local = words.next().and_then(parse)?;
        let state = words.nth(1)?;
        let inode = words.nth(5)?.parse().ok()?;
        let ip = local.ip().to_canonical();
        let meets = ip == address.ip().to_canonical() || ip.is_unspecified() || address.ip().is_unspecified();
        (state == LISTEN && local.port() == address.port() && meets).then_some(inode)
    })
}

/// An address as the kernel prints it: words of four bytes in its own order, a colon, the port.
fn parse(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(ip.get(at..at + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            Ipv6Addr::from(<[u8; 16]>::try_from(words.as_flattened()).ok()?).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, path::Path, process};

    use super::{holder, listener};

    #[test]
    fn tables_of_the_kernel() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        let check = |line: &str, address: &str, expected: Option<u64>| {
            let table = format!(
                "{head}   0: {line} 00000000:00000000 00:00000000 00000000     0        0 4711 1 0\n"
            );
            assert_eq!(listener(&table, address.parse().expect("an address")), expected, "{line} {address}");
        };
        let loopback = "0100007F:4AAF 00000000:0000 0A";
        check(loopback, "127.0.0.1:19119", Some(4711));
        check(loopback, "0.0.0.0:19119", Some(4711));
        check(loopback, "127.0.0.2:19119", None);
        check(loopback, "127.0.0.1:19120", None);
        check("0100007F:4AAF 0100007F:1234 01", "127.0.0.1:19119", None);
        let any = "00000000000000000000000000000000:4AAF 00000000000000000000000000000000:0000 0A";
        check(any, "127.0.0.1:19119", Some(4711));
        check(&any.replacen("0000000000000000:", "0000000001000000:", 1), "[::1]:19119", Some(4711));
        check("nonsense", "127.0.0.1:19119", None);
    }

    #[test]
    fn this_process_is_found() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        let found = holder(address, Path::new("/proc")).map(|(pid, _)| pid);
        assert_eq!(found, Some(process::id()));
    }
}
