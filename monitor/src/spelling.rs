//! What somebody may have meant who wrote a name that there is not. Pure; where the names come from is not known here.

/// The known name that is most similar to what was written, if a slip of the hand explains the difference.
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let with_distance = known.into_iter().map(|name| (edit_distance(written, name), name));
    let (distance, name) = with_distance.min_by_key(|(distance, _)| *distance)?;
    // Of a short name one slip is a large part.
    (distance <= (name.len() / 3).max(usize::from(name.len() > 2))).then_some(name)
}

/// How many bytes to insert, delete, replace or swap with their neighbour to turn `from` into `to`.
fn edit_distance(from: &str, to: &str) -> usize {
    let (from, to) = (from.as_bytes(), to.as_bytes());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for (row, byte) in from.iter().enumerate() {
        let mut current = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let replaced = above[column] + usize::from(byte != other);
            let mut least = replaced.min(above[column + 1] + 1).min(current[column] + 1);
            let is_swap = row > 0 && column > 0 && from[row - 1] == *other && to[column - 1] == *byte;
            if is_swap {
                least = least.min(before[column - 1] + 1);
            }
            current.push(least);
        }
        before = std::mem::replace(&mut above, current);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_hand_is_understood() {
        let check = |written: &str, expected: Option<&str>| {
            assert_eq!(nearest(written, ["pid", "port", "workload", "no"]), expected, "{written}");
        };
        check("prt", Some("port"));
        check("pod", Some("pid"));
        check("workloads", Some("workload"));
        check("wrokload", Some("workload"));
        check("prot", Some("port"));
        check("no", Some("no"));
        check("na", None);
        check("", None);
        check("weather", None);
        check("الطقس", None);
        assert_eq!(nearest("x", []), None);
    }
}
