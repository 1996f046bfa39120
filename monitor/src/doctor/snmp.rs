//! TCP's own counters: the table `Tcp:` of `/proc/net/snmp`, one for each network namespace. Values only.

/// Those that resets increment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpCounters {
    /// Resets that TCP sent, attempts included. Resets of the firewall are not among them.
    pub out_rsts: u64,
    /// Connections that went from ESTABLISHED or `CLOSE_WAIT` to CLOSE: reset by either end, or given up.
    pub estab_resets: u64,
    /// Connections that went from `SYN_SENT` or `SYN_RECV` to CLOSE by a reset or a timeout, and connection requests that
    /// were reset.
    pub attempt_fails: u64,
}

impl TcpCounters {
    /// The counters in the text of `/proc/net/snmp`.
    pub fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp:"));
        let (names, values) = (lines.next()?, lines.next()?);
        let value = |name: &str| {
            let position = names.split_whitespace().position(|found| found == name)?;
            values.split_whitespace().nth(position)?.parse().ok()
        };
        Some(Self {
            out_rsts: value("OutRsts")?,
            estab_resets: value("EstabResets")?,
            attempt_fails: value("AttemptFails")?,
        })
    }

    /// How much was counted since; `None` when these are another namespace's, which begin at 0.
    pub fn since(self, earlier: Self) -> Option<Self> {
        Some(Self {
            out_rsts: self.out_rsts.checked_sub(earlier.out_rsts)?,
            estab_resets: self.estab_resets.checked_sub(earlier.estab_resets)?,
            attempt_fails: self.attempt_fails.checked_sub(earlier.attempt_fails)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::TcpCounters;

    #[test]
    fn the_table_is_read_by_name() {
        let text = "Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm MaxConn AttemptFails EstabResets OutRsts\n\
                    Tcp: 1 -1 24719 48295 48923\nUdp: InDatagrams\nUdp: 3\n";
        let expected = TcpCounters { out_rsts: 48_923, estab_resets: 48_295, attempt_fails: 24_719 };
        assert_eq!(TcpCounters::parse(text), Some(expected));
        for text in ["", "Tcp: OutRsts EstabResets AttemptFails\n", "Tcp: OutRsts\nTcp: 3\n"] {
            assert_eq!(TcpCounters::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn counters_that_went_back_are_others() {
        let counters = |out_rsts| TcpCounters { out_rsts, ..TcpCounters::default() };
        assert_eq!(counters(5).since(counters(3)), Some(counters(2)));
        assert_eq!(counters(2).since(counters(3)), None);
    }
}
